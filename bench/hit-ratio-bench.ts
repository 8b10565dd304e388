/**
 * Hit ratio and byte hit ratio of the needle store against plain LRU (lru-cache alone) on made-up traffic, in percent
 * of the requests that are not part of a scan. Prints a table, or with --json one JSON document; some five seconds.
 */
import { parseArgs } from 'node:util';
import {
  makeTrace,
  needleStore,
  plainLru,
  type Ratios,
  replay,
  type TraceOptions,
} from './hit-ratio-trace.ts';

const usual: TraceOptions = {
  objects: 20_000,
  requests: 400_000,
  skew: 0.9,
  scanShare: 0,
  scanLength: 10_000,
  shiftEvery: 0,
  seed: 20_260_131,
};
const traffics: Readonly<Record<string, TraceOptions>> = {
  zipf: usual,
  'zipf and scans': { ...usual, scanShare: 0.3 },
  'shifting zipf': { ...usual, shiftEvery: 80_000 },
  'shifting zipf and scans': { ...usual, shiftEvery: 80_000, scanShare: 0.3 },
};
const cacheShares = [0.05, 0.1, 0.2];

export interface HitRatio {
  readonly traffic: string;
  /** Share of the bytes of all objects. */
  readonly cacheShare: number;
  readonly store: Ratios;
  readonly lru: Ratios;
}

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const rows = Object.entries(traffics).flatMap(([traffic, options]): HitRatio[] => {
  const trace = makeTrace(options);
  return cacheShares.map((cacheShare) => ({
    traffic,
    cacheShare,
    store: replay(trace, needleStore, cacheShare),
    lru: replay(trace, plainLru, cacheShare),
  }));
});
console.log(values.json ? JSON.stringify({ rows }, undefined, 1) : tableOf(rows));

function tableOf(rows: readonly HitRatio[]): string {
  const lines = rows.map(({ traffic, cacheShare, store, lru }) => [
    traffic.padEnd(24),
    percent(cacheShare).padStart(6),
    ...[store.hits, lru.hits, store.bytes, lru.bytes].map((ratio) => percent(ratio).padStart(6)),
  ]);
  const head = ['traffic'.padEnd(24), ' cache', ' store', '   LRU', 'store', '   LRU'];
  const groups = [' '.repeat(24), '      ', ' hits ', '      ', 'bytes', ''];
  return [groups, head, ...lines].map((cells) => cells.join('  ').trimEnd()).join('\n');
}

function percent(ratio: number): string {
  return (ratio * 100).toFixed(1);
}
