/** What the copy part measured → tables. Pure. */
import { size, table } from './tables.mjs';

export function copyMarkdown(copy) {
  const { rounds, seconds, isPinned, generator, connections, arenaBytes, cells } = copy;
  return [
    '## Where copying ends',
    '',
    `${isPinned ? 'The sender has one core, who asks the other.' : 'Not pinned: everything shares the cores.'} Asked by ${generator} on ${connections} connections, for needles at random places of ${size(arenaBytes)}. CPU is the sender’s, of one answer. Medians of ${rounds} rounds of ${seconds} s, after one that is dropped; a ratio is the median of the rounds’ own.`,
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
  ].join('\n');
}

function cellRow({ bytes, copied, whole, ratio, ratioMin, ratioMax, verdict }) {
  return [
    ...[size(bytes), copied.cpuUs.toFixed(1), whole.cpuUs.toFixed(1), ratio.toFixed(2)],
    `${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)}`,
    ...[copied.answersPerSecond, whole.answersPerSecond],
    ...[copied, whole].map(({ busy }) => `${Math.round(busy * 100)} %`),
    verdict,
  ];
}

function limitLine({ limit, current }) {
  if (limit === current) return `Copied up to ${size(limit)}, which is what is set.`;
  const set = `${size(current)} is set.`;
  if (limit > 0) return `Copied up to ${size(limit)}; ${set}`;
  return `Two pieces are cheaper at every size that was measured; ${set}`;
}
