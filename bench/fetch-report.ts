/** A fetch's figures → the ratios that issue from them, and tables of both. Pure. */
import type { FetchCell, NativeCell } from './fetch-bench.ts';
import type { PerftestCell } from './perftest.ts';
import { type Row, size, table } from './tables.ts';

export interface FetchBar {
  readonly transport: string;
  readonly bytes: number;
  readonly figure: 'latency' | 'bandwidth';
  readonly ratio: number;
  readonly bar: number;
  readonly isMet: boolean;
}

export interface FetchFigures {
  readonly cells: readonly FetchCell[];
  readonly native: readonly NativeCell[];
  /** undefined: ucx_perftest is not installed. */
  readonly perftest: readonly PerftestCell[] | undefined;
  /** Lines that needle_map_bench printed. */
  readonly needleMap: readonly string[];
  readonly bars: readonly FetchBar[];
}

const latencyRatioMax = 1.5;
const bandwidthRatioMin = 0.8;

/** JavaScript against the native loop in the addon's own mode: latency alone, bandwidth with sixteen in flight. */
export function fetchBars(
  cells: readonly FetchCell[],
  native: readonly NativeCell[],
): readonly FetchBar[] {
  return cells.map((cell) => {
    const { transport, bytes, depth } = cell;
    const twin = native.find(
      (other) =>
        other.transport === transport &&
        other.bytes === bytes &&
        other.depth === depth &&
        other.mode !== 'busy',
    );
    if (twin === undefined)
      throw new Error(`the native loop has no cell for ${transport} ${bytes}`);
    const isLatency = depth === 1;
    const ratio = isLatency
      ? cell.p50Us / twin.p50Us
      : cell.megabytesPerSecond / twin.megabytesPerSecond;
    const bar = isLatency ? latencyRatioMax : bandwidthRatioMin;
    const isMet = isLatency ? ratio <= bar : ratio >= bar;
    const figure = isLatency ? 'latency' : 'bandwidth';
    return { transport, bytes, figure, ratio: round(ratio), bar, isMet };
  });
}

export function fetchMarkdown(result: FetchFigures): string {
  const { cells, native, perftest, needleMap } = result;
  const lines = [
    '## A fetch, from JavaScript and from the native loop',
    '',
    ...table(
      ['from', 'transport', 'size', 'in flight', 'p50 µs', 'p99 µs', 'MB/s'],
      [
        ...cells.map((cell) => ['JavaScript', ...row(cell)]),
        ...native.map((cell) => [`native, ${cell.mode}`, ...row(cell)]),
      ],
    ),
    '',
    '## JavaScript ÷ native (latency: one in flight; bandwidth: sixteen)',
    '',
    ...table(
      ['figure', 'transport', 'size', 'ratio', 'bar', ''],
      result.bars.map(({ figure, transport, bytes, ratio, bar, isMet }) => {
        const sign = figure === 'latency' ? '≤' : '≥';
        return [figure, transport, size(bytes), ratio, `${sign} ${bar}`, isMet ? 'met' : 'NOT met'];
      }),
    ),
    '',
    '## ucx_perftest, active messages, busy on both sides, without a read',
    '',
    ...(perftest === undefined
      ? ['not installed (Debian: ucx-utils)']
      : table(
          ['transport', 'size', 'round trip µs'],
          perftest.map((cell) => [cell.transport, size(cell.bytes), cell.roundTripUs]),
        )),
    '',
    '## The needle map',
    '',
    '```',
    ...needleMap,
    '```',
    '',
  ];
  return lines.join('\n');
}

function row(cell: FetchCell | NativeCell): Row {
  const { transport, bytes, depth, p50Us, p99Us, megabytesPerSecond } = cell;
  return [transport, size(bytes), depth, p50Us, p99Us, Math.round(megabytesPerSecond)];
}

function round(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}
