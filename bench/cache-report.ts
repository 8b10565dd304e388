/** The cache's figures → what they must be, and tables of both. Pure. */
import type { CacheDocument } from './cache-bench.ts';
import type { Variant } from './cache-measures.ts';
import type { CacheOverhead } from './cache-overhead-bench.ts';
import type { HitRatio } from './hit-ratio-bench.ts';
import { type Bar, barTable, size, table } from './tables.ts';

export interface CacheFigures {
  readonly bench: CacheDocument;
  readonly overhead: CacheOverhead;
  readonly hitRatio: readonly HitRatio[];
  readonly bars: readonly Bar[];
}

const kibibyte = 1024;
/** Bars by size: a hit that is validated against a fetch. In between nothing is asked of it. */
const latencyBars = [
  { from: 4 * kibibyte, to: 4 * kibibyte, atMost: 1.15 },
  { from: 256 * kibibyte, to: Number.POSITIVE_INFINITY, atMost: 0.8 },
];
const throughputRatioMin = 0.8;
const hitsPerValidationMin = 10;
const overheadBytesMax = 400;
/** A hit of sixteen times the bytes allocates as much: what is sent is not in the heap. */
const heapGrowthMax = 2;

export function cacheBars({
  bench,
  overhead,
}: Pick<CacheFigures, 'bench' | 'overhead'>): readonly Bar[] {
  const bars: Bar[] = [];
  const atMost = (names: readonly string[], value: number, bar: number): unknown =>
    bars.push({ names, value, sign: '≤', bar, isMet: value <= bar });
  const atLeast = (names: readonly string[], value: number, bar: number): unknown =>
    bars.push({ names, value, sign: '≥', bar, isMet: value >= bar });
  for (const { transport, bytes, strictToFetch } of bench.latency) {
    const bar = latencyBars.find(({ from, to }) => bytes >= from && bytes <= to);
    const names = [`strict hit ÷ fetch, ${size(bytes)}, one at a time`, transport];
    if (bar !== undefined) atMost(names, strictToFetch, bar.atMost);
  }
  for (const cell of bench.throughput) {
    const { variant, transport, toImmutable, toImmutableByCpu, hitsPerValidation } = cell;
    if (variant !== 'strict') continue;
    atLeast(['requests/s, strict ÷ immutable', transport], toImmutable, throughputRatioMin);
    const byCpu = 'requests per CPU second of the proxy, strict ÷ immutable';
    atLeast([byCpu, transport], toImmutableByCpu, throughputRatioMin);
    atLeast(['hits per validation', transport], hitsPerValidation ?? 0, hitsPerValidationMin);
  }
  for (const row of bench.heap) {
    const names = (what: string): readonly string[] => [`${what}, ${atOnce(row.connections)}`, '-'];
    const larger = bench.heap.find(
      (other) => other.bytes > row.bytes && other.connections === row.connections,
    );
    if (larger === undefined) continue;
    const largestSite = row.sites[0]?.bytesPerHit ?? 0;
    atMost(
      names(`heap bytes of the largest site per ${size(row.bytes)} hit`),
      largestSite,
      row.bytes - 1,
    );
    const growth = Math.round((larger.heapBytesPerHit / row.heapBytesPerHit) * 100) / 100;
    atMost(
      names(`heap per hit, ${size(larger.bytes)} ÷ ${size(row.bytes)}`),
      growth,
      heapGrowthMax,
    );
  }
  atMost(
    ['bytes beside each cached needle', '-'],
    Math.round(overhead.bytesPerNeedle),
    overheadBytesMax,
  );
  const churned = Math.round(overhead.bytesPerNeedleAfterChurn);
  atMost(['the same after three generations', '-'], churned, overheadBytesMax);
  return bars;
}

export function cacheMarkdown({ bench, overhead, hitRatio, bars }: CacheFigures): string {
  const { rounds, isPinned, generator, latency, throughput, heap } = bench;
  return [
    '## The cache, one request at a time',
    '',
    `${isPinned ? 'The proxy has a core of its own.' : 'Not pinned: everything shares the cores.'} Medians of ${rounds} rounds; the ratios are of one round each.`,
    '',
    ...table(
      [
        'transport',
        'size',
        'fetch p50 µs',
        'strict',
        'immutable',
        'fetch p99 µs',
        'strict',
        'immutable',
        'strict ÷ fetch',
        'immutable ÷ fetch',
      ],
      latency.map(({ transport, bytes, p50Us, p99Us, strictToFetch, immutableToFetch }) => [
        transport,
        size(bytes),
        ...[p50Us.off, p50Us.strict, p50Us.immutable],
        ...[p99Us.off, p99Us.strict, p99Us.immutable],
        strictToFetch,
        immutableToFetch,
      ]),
    ),
    '',
    '## The cache, 64 connections, 4 KiB',
    '',
    `Load generator: ${generator}. CPU is user and system time of the whole process. Generator-bound: the proxy could have done more, since the load generator was slower or another process had its core.`,
    '',
    ...table(
      [
        'transport',
        'consistency',
        'requests/s',
        'proxy CPU µs',
        'target CPU µs',
        'hits per validation',
        '÷ immutable',
        'by CPU',
        '',
      ],
      throughput.map((cell) => [
        cell.transport,
        variantNames[cell.variant],
        cell.requestsPerSecond,
        cell.proxyCpuUs,
        cell.targetCpuUs,
        cell.hitsPerValidation ?? '-',
        cell.toImmutable,
        cell.toImmutableByCpu,
        cell.isGeneratorBound ? `generator-bound (proxy ${percent(cell.proxyBusy)} busy)` : '',
      ]),
    ),
    '',
    '## What a validated hit allocates',
    '',
    'V8 samples the heap, garbage included. ArrayBuffers lie outside of the heap and are not counted; their observed growth is a lower bound.',
    '',
    ...table(
      [
        'size',
        'connections',
        'hits',
        'heap bytes per hit',
        'ArrayBuffer bytes per hit',
        'largest site',
        'its bytes per hit',
      ],
      heap.map((row) => [
        size(row.bytes),
        row.connections,
        row.hits,
        row.heapBytesPerHit,
        row.arrayBufferBytesPerHit,
        row.sites[0]?.site ?? '-',
        row.sites[0]?.bytesPerHit ?? '-',
      ]),
    ),
    '',
    '## What a cached needle costs beside its bytes',
    '',
    ...table(
      [
        'needles',
        'bytes per needle',
        'after three generations',
        'prepared head',
        'part counted as the cache’s own',
      ],
      [
        [
          overhead.needles,
          Math.round(overhead.bytesPerNeedle),
          Math.round(overhead.bytesPerNeedleAfterChurn),
          Math.round(overhead.bytesPerHead),
          Math.round(overhead.accountedPerHead),
        ],
      ],
    ),
    '',
    '## Hit ratio against plain LRU',
    '',
    ...table(
      ['traffic', 'cache', 'hits', 'LRU', 'bytes', 'LRU'],
      hitRatio.map(({ traffic, cacheShare, store, lru }) => [
        traffic,
        ...[cacheShare, store.hits, lru.hits, store.bytes, lru.bytes].map(percent),
      ]),
    ),
    '',
    '## The cache’s bars',
    '',
    ...barTable(['what', 'transport'], bars),
    '',
  ].join('\n');
}

const variantNames: Readonly<Record<Variant, string>> = {
  off: 'no cache',
  immutable: 'immutable',
  lease: 'lease',
  strict: 'strict, one VALIDATE in flight',
  'strict-2': 'strict, two VALIDATEs in flight',
};

function atOnce(connections: number): string {
  return connections === 1 ? 'one at a time' : `${connections} connections`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
