/** Formats the serve part's measurements as tables. Pure. */
import type { ServeDocument } from './serve-bench.ts';
import type { Cell, Limit } from './serve-cells.ts';
import { named, serverNames } from './serve-names.ts';
import type { SubjectName, Work } from './serve-plan.ts';
import { type Row, size, table } from './tables.ts';

const workNames: Readonly<Record<Work, string>> = {
  read: 'reads',
  signed: 'reads with a token each, signed anew each second',
  write: 'writes',
  mixed: '90 % reads, 10 % writes',
};
const limits: Readonly<Record<Exclude<Limit, 'itself'>, string>> = {
  generator: 'generator-bound',
  neighbours: 'its core was not left alone',
};
/** A generator that is busier than this is what limits. */
const generatorBusyMax = 0.9;

/** The document that serve-bench.ts prints. */
export function serveMarkdown(serve: ServeDocument, isQuick: boolean): string {
  const parts = [figuresMarkdown(serve)];
  if (!isQuick) parts.push(cellsMarkdown(serve));
  if (serve.latencies.length > 0) parts.push(latencyMarkdown(serve));
  parts.push(...idleMarkdown(serve));
  return parts.join('\n\n');
}

function figuresMarkdown(serve: ServeDocument): string {
  const { rounds, seconds, isPinned, generator, missing, figures } = serve;
  return [
    '## The proxy against other servers: the figures',
    '',
    `${isPinned ? 'The measured server has one core; the load generator, the target and the volume server behind it share the other.' : 'Not pinned: all processes share the cores.'} Load generator: ${generator}. Medians of ${rounds} rounds of ${seconds} s, after one that is dropped; a ratio is the median of the rounds' own.`,
    ...(missing.length === 0 ? [] : ['', `Not installed: ${missing.map(missingName).join(', ')}.`]),
    '',
    ...table(
      ['work', 'figure', 'strict', 'bar', '', 'immutable', ''],
      figures.map(({ work, name, value, sign, bar, verdict, immutable, note }) => [
        ...[work, named(name), value ?? '-', `${sign} ${bar}`],
        ...[verdict === 'not met' ? 'NOT met' : verdict, immutable ?? '-', note],
      ]),
    ),
  ].join('\n');
}

function missingName(name: SubjectName): string {
  const hint = name === 'volume-server' ? ' (WEED_BIN is not set)' : '';
  return `${serverNames[name]}${hint}`;
}

function cellsMarkdown({ cells }: ServeDocument): string {
  const groups = new Map<string, readonly Cell[]>();
  for (const cell of cells) {
    const { work, bytes, connections } = cell;
    const title = `### ${workNames[work]}, ${size(bytes)}, ${connections} connection${connections === 1 ? '' : 's'}`;
    groups.set(title, [...(groups.get(title) ?? []), cell]);
  }
  const head = ['', 'requests/s', 'CPU µs', 'target’s', 'upstream’s', 'requests per CPU s'];
  return [
    '## The proxy against other servers: everything',
    '',
    'CPU is of one request: of the server and all its processes, of its target, of the volume server behind it. Requests per CPU second are those of server and target together. Generator-bound: the server’s core had time left; not left alone: another process used it.',
    ...[...groups].flatMap(([title, group]) => [
      '',
      title,
      '',
      ...table([...head, 'MB per CPU s', 'busy', ''], group.map(cellRow)),
    ]),
  ].join('\n');
}

function cellRow(cell: Cell): Row {
  const targetUs = cell.cpuUs - cell.serverCpuUs;
  const notes = [
    ...(cell.limitedBy === 'itself' ? [] : [limits[cell.limitedBy]]),
    ...(cell.hasAskedUpstream ? ['asked the volume server'] : []),
  ];
  return [
    serverNames[cell.subject],
    cell.requestsPerSecond,
    ...[cell.serverCpuUs, targetUs, cell.upstreamCpuUs].map((each) => each.toFixed(1)),
    Math.round(1e6 / cell.cpuUs),
    cell.megabytesPerCpuSecond,
    `${Math.round(cell.busy * 100)} %`,
    notes.join(', '),
  ];
}

function latencyMarkdown({ latencies }: ServeDocument): string {
  return [
    '### Latency of a 4 KiB hit at a constant rate, from when a request was due',
    '',
    'Late: how far the load generator lagged behind its schedule, with a connection free (p99). It is part of the latency.',
    '',
    ...table(
      [
        '',
        'requests/s',
        'half of',
        'p50 µs',
        'p99 µs',
        'p99.9 µs',
        'late µs',
        'load generator',
        '',
      ],
      latencies.map((each) => [
        serverNames[each.subject],
        ...[each.requestsPerSecond, each.halfOf, each.p50Us, each.p99Us, each.p999Us],
        ...[each.lateP99Us, `${Math.round(each.generatorBusy * 100)} % busy`],
        [
          ...(each.generatorBusy > generatorBusyMax ? ['generator-bound'] : []),
          ...(each.unanswered > 0 ? [`${each.unanswered} not answered in time`] : []),
        ].join(', '),
      ]),
    ),
  ].join('\n');
}

function idleMarkdown({ idle }: ServeDocument): readonly string[] {
  return idle.map(({ subject, seconds, cpuPercent, wakeUpsPerSecond }) => {
    const name = serverNames[subject].split(',')[0];
    return `Idle for ${seconds} s after the traffic stopped, the ${name} took ${cpuPercent} % of a core and woke up ${wakeUpsPerSecond} times a second, all threads.`;
  });
}
