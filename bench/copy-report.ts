/** Formats the copy part's measurements as tables. Pure. */
import type { CopyCell } from './copy-limit.ts';
import type { CopyDocument } from './copy-size-bench.ts';
import { type Row, size, table } from './tables.ts';

/** A sender that ran for less of the time waited for something. */
const saturatedShare = 0.95;

/** The document that copy-size-bench.ts prints. */
export function copyMarkdown(copy: CopyDocument): string {
  const { rounds, seconds, isPinned, generator, connections, arenaBytes, cells } = copy;
  return [
    '## Where copying ends',
    '',
    `${isPinned ? 'The sender has one core, the load generator the other.' : 'Not pinned: all processes share the cores.'} ${generator} asks on ${connections} connections for needles at random places of ${size(arenaBytes)}. CPU is the sender’s, of one answer. Medians of ${rounds} rounds of ${seconds} s, after one that is dropped; a ratio is the median of the rounds’ own.`,
    '',
    ...table(
      [
        ...['size', 'copied, CPU µs', 'two pieces', '÷ copied', 'of the rounds'],
        ...['copied, answers/s', 'two pieces', 'copied, busy', 'two pieces', 'cheaper'],
      ],
      cells.map(cellRow),
    ),
    '',
    limitLine(copy),
    ...waitedLines(cells),
  ].join('\n');
}

function cellRow({ bytes, copied, whole, ratio, ratioMin, ratioMax, verdict }: CopyCell): Row {
  return [
    ...[size(bytes), copied.cpuUs.toFixed(1), whole.cpuUs.toFixed(1), ratio.toFixed(2)],
    `${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)}`,
    ...[copied.answersPerSecond, whole.answersPerSecond],
    ...[copied, whole].map(({ busy }) => `${Math.round(busy * 100)} %`),
    verdict,
  ];
}

function waitedLines(cells: readonly CopyCell[]): readonly string[] {
  const isFull = ({ copied, whole }: CopyCell): boolean =>
    Math.min(copied.busy, whole.busy) >= saturatedShare;
  if (cells.every(isFull)) return [];
  return [
    '',
    'If the sender ran for less than 95 % of the time, it waited for the load generator or for its core: measure such sizes again on an idle machine.',
  ];
}

function limitLine({ limit, current }: CopyDocument): string {
  if (limit === current) return `Copied up to ${size(limit)}, the value that is set.`;
  const set = `${size(current)} is set.`;
  if (limit > 0) return `Copied up to ${size(limit)}; ${set}`;
  return `Two pieces are cheaper at every size that was measured; ${set}`;
}
