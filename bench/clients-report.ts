/** Formats the clients part's measurements as a table. Pure. */
import type { ClientsDocument } from './clients-bench.ts';
import type { ClientsCell, ClientsFigures, Door } from './clients-cells.ts';
import { type Row, size, table } from './tables.ts';

const doors: Readonly<Record<Door, string>> = { filer: 'filer', s3: 'S3 gateway' };

/** The document that clients-bench.ts prints. */
export function clientsMarkdown({ rounds, seconds, cells }: ClientsDocument): string {
  return [
    '## Through a filer and an S3 gateway',
    '',
    `GETs of whole files by keep-alive connections, in a cluster without the proxy and in one with it, in turn. Everything shares the machine's cores. Medians of ${rounds} rounds of ${seconds} s, after one that is dropped; a ratio is the median of the rounds' own, proxied ÷ direct. CPU is µs of one request.`,
    '',
    ...table(
      [
        ...['asked', 'size', 'connections', 'way', 'requests/s', 'MB/s', 'p50 ms', 'p99 ms'],
        ...[
          'volume server',
          'target',
          'proxy',
          'filer',
          'S3',
          'CPU in all',
          'answered here',
          '÷ direct',
        ],
      ],
      cells.flatMap(cellRows),
    ),
  ].join('\n');
}

function cellRows({
  door,
  bytes,
  connections,
  direct,
  proxied,
  ratio,
}: ClientsCell): readonly Row[] {
  const row = (way: string, figures: ClientsFigures, rest: readonly string[]): Row => {
    const { cpuUs } = figures;
    return [
      ...[doors[door], size(bytes), connections, way],
      ...[figures.requestsPerSecond, figures.megabytesPerSecond],
      ...[figures.p50Ms.toFixed(2), figures.p99Ms.toFixed(2)],
      ...(['volume server', 'target', 'proxy', 'filer', 'S3'] as const).map((name) => cpuUs[name]),
      ...[figures.cpuUsInAll, ...rest],
    ];
  };
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const here = `${percent(proxied.shareHere)} of ${proxied.volumeReads.toFixed(2)} reads, ${percent(proxied.shareCache)} cache`;
  const ratios = `requests ${ratio.requestsPerSecond.toFixed(2)}, CPU ${ratio.cpuUsInAll.toFixed(2)}`;
  return [row('direct', direct, ['', '']), row('proxied', proxied, [here, ratios])];
}
