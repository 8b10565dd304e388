/** Formats the result of the comparison. */
import { bytesText, countText, secondsText } from '../admin/quantities.ts';

export interface PathFigures {
  readonly reads: number;
  readonly readsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly latencyUs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
  /** CPU time of the process that sends the reads. */
  readonly cpuUsPerRead: number;
  /** CPU time of the processes of --cpu-of; undefined: none were named. */
  readonly serverCpuUsPerRead: number | undefined;
  readonly rounds: readonly { readonly readsPerSecond: number; readonly p50Us: number }[];
  readonly failures: Readonly<Record<string, number>>;
}

export interface ComparedPath {
  readonly name: string;
  /** Where it read; or why it could not be had. */
  readonly detail: string;
  readonly figures: PathFigures | undefined;
}

const heads = [
  'path',
  'reads/s',
  'MB/s',
  'p50',
  'p90',
  'p99',
  'p99.9',
  'max',
  'CPU',
  'p50 ÷ first',
];

function rowsOf(paths: readonly ComparedPath[]): string[][] {
  const first = paths.find(({ figures }) => figures !== undefined)?.figures;
  return paths.map(({ name, figures }) => {
    if (figures === undefined || first === undefined) {
      return [name, ...Array.from({ length: heads.length - 1 }, () => '-')];
    }
    const { latencyUs: us, cpuUsPerRead, serverCpuUsPerRead } = figures;
    const servers = serverCpuUsPerRead === undefined ? '' : ` + ${serverCpuUsPerRead.toFixed(0)}`;
    return [
      name,
      countText(figures.readsPerSecond),
      (figures.bytesPerSecond / 1e6).toFixed(1),
      ...[us.p50, us.p90, us.p99, us.p999, us.max].map((value) => secondsText(value / 1e6)),
      `${cpuUsPerRead.toFixed(0)}${servers} µs`,
      medianRatio(figures, first).toFixed(2),
    ];
  });
}

/** The median over the rounds of this path's p50 by the first one's: noise that hits a round hits both. */
export function medianRatio(figures: PathFigures, first: PathFigures): number {
  const ratios = figures.rounds
    .map(({ p50Us }, round) => p50Us / (first.rounds[round]?.p50Us ?? Number.NaN))
    .sort((a, b) => a - b);
  const middle = Math.floor(ratios.length / 2);
  const upper = ratios[middle] ?? Number.NaN;
  return ratios.length % 2 === 1 ? upper : (upper + (ratios[middle - 1] ?? upper)) / 2;
}

export function comparisonTable(paths: readonly ComparedPath[]): string[] {
  const rows = [heads, ...rowsOf(paths)];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  '),
  );
  return [...lines, ...legendOf(paths)];
}

export function markdownOf(paths: readonly ComparedPath[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = heads.map((_, column) => (column === 0 ? '---' : '---:'));
  const notes = legendOf(paths).map((text) => `- ${text.trim()}`);
  return ['', line(heads), line(rule), ...rowsOf(paths).map(line), '', ...notes];
}

function legendOf(paths: readonly ComparedPath[]): string[] {
  const places = paths.map(({ name, detail, figures }) => {
    if (figures === undefined) return `  ${name}: not available: ${detail}`;
    const size = figures.reads === 0 ? 0 : figures.bytesPerSecond / figures.readsPerSecond;
    return `  ${name}: ${detail}, ${figures.reads} reads of ${bytesText(size)} on average`;
  });
  const cpu = '  CPU: microseconds a read of the process that asks, + those of --cpu-of';
  return [...places, cpu];
}
