/**
 * Measures the cost of a cached needle beside the needle's own bytes: the JavaScript heap, and memory that hangs on it, with
 * and without 100,000 needles. Run with `node --expose-gc`. Prints one JSON document.
 */

import { marks, PreparedAnswer } from '../src/needle/answer/prepared-answer.ts';
import type { CachedVolume } from '../src/proxy/cache/cached-volume.ts';
import type { Found } from '../src/proxy/cache/found.ts';
import { NeedleCache } from '../src/proxy/cache/needle-cache.ts';
import { CacheMemory } from '../src/rdma/cache-memory.ts';
import { LeasePool } from '../src/rdma/lease.ts';
import type { FetchResult, NeedleFetcher, ReadCommand } from '../src/rdma/needle-fetcher.ts';

const memory = new CacheMemory({ bytes: 64 * 1024 * 1024, hugepages: 'off' });

export interface CacheOverhead {
  readonly needles: number;
  readonly nameBytes: number;
  readonly bytesPerNeedle: number;
  readonly bytesPerNeedleAfterChurn: number;
  readonly bytesWhenEmptied: number;
  /** A prepared answer's head: what it takes, and the part that the cache counts. */
  readonly bytesPerHead: number;
  readonly accountedPerHead: number;
}

const needles = 100_000;
const dataBytes = 4096;
const arena = new ArrayBuffer(1 << 20);
const pool = new LeasePool(() => undefined, arena);

/** Answers as a client does: fresh objects, fresh strings. */
const fetcher: NeedleFetcher = {
  address: 'bench',
  state: { kind: 'up', transport: 'bench', sessionId: 1n },
  volumes: new Map([[3, { volumeId: 3, version: 3, confirmed: true, collection: '' }]]),
  counts: { established: 1, lost: 0, failed: 0, fetches: {}, bytesFetched: 0, pingUs: undefined },
  onChange: () => undefined,
  onVolumeChanged: () => undefined,
  read: (command) => Promise.resolve(answer(command)),
  validate: () => Promise.resolve({ kind: 'failed', status: 'closed' }),
  ping: () => Promise.resolve({ kind: 'failed', status: 'closed' }),
  close: () => Promise.resolve(),
};

const texts = Buffer.from('IMG_20240612_183512.jpgimage/jpeg', 'latin1');

function answer({ volumeId, needleId, cookie }: ReadCommand): FetchResult {
  const needle = {
    volumeId,
    needleId,
    cookie,
    epoch: 0x1234_5678_9abc_def0n,
    position: needleId * 16n,
    volumeVersion: 3,
    flags: 0x3e,
    indexBytes: dataBytes + 60,
    dataBytes,
    checksum: Number(BigInt.asUintN(32, needleId * 2_654_435_761n)),
    isStream: false,
    lastModifiedSeconds: 1_718_217_312,
    appendAtNs: 1_718_217_312_000_000_000n + needleId,
    ttlLeftMs: undefined,
    name: texts.toString('latin1', 0, 23),
    mime: texts.toString('latin1', 23),
    pairs: '',
  };
  const view = Buffer.from(arena, 0, dataBytes);
  const handle = Number(BigInt.asUintN(31, needleId));
  return {
    kind: 'needle',
    needle,
    data: { offset: 0, view, lease: pool.take(handle, dataBytes) },
  };
}

const collect = globalThis.gc;
if (collect === undefined) throw new Error('run me with node --expose-gc');

function usedBytes(): number {
  for (let round = 0; round < 4; round += 1) collect?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const cache = new NeedleCache({
  bytesMax: needles * 16_384,
  decodedBytesMax: 0,
  policyOf: () => ({ consistency: 'immutable', leaseMs: 0 }),
  timeoutMs: 1000,
  validationsMax: 1,
  ttlMarginMs: 2000,
  memory,
});
const volume = cache.volume(fetcher, 3) as CachedVolume;
const cookie = 0x9abc_def1;

async function fill(from: bigint, count: number): Promise<void> {
  for (let id = from; id < from + BigInt(count); id += 1n) {
    const command: ReadCommand = {
      volumeId: 3,
      needleId: id * 7n,
      cookie,
      offset: 0,
      length: 0,
      wholeBytesMax: 1 << 26,
      budgetBytes: 1 << 26,
      metadataOnly: false,
      timeoutMs: 1000,
    };
    const fetched = await cache.fetch(volume, fetcher, command, cache.arrive());
    if (fetched.kind === 'needle') fetched.data?.lease.release();
  }
}

/** With `immutable`, which validates nothing. */
function find(needleId: bigint): Found {
  const finds: Found[] = [];
  const found = (what: Found): void => void finds.push(what);
  cache.find(volume, fetcher, { needleId, cookie, isFirst: false, mayAsk: () => true, found });
  return finds[0] as Found;
}

/** One prepared head for each, as the first hit makes it. */
async function prepare(from: bigint, count: number): Promise<void> {
  for (let id = from; id < from + BigInt(count); id += 1n) {
    const found = find(id * 7n);
    if (found.kind !== 'hit') throw new Error(`needle ${id * 7n} is not cached`);
    const prepared = PreparedAnswer.of(
      { ...plan, ranges: [wholeRange] },
      { server, kind: 'go' },
      found.needle,
      headOf(id),
    );
    if (prepared !== undefined) cache.prepare(found.needle, '0', prepared);
  }
}

const server = 'SeaweedFS Volume 30GB 4.44';
const wholeRange = { start: 0, end: dataBytes };
const plan = {
  kind: 'answer',
  status: 200,
  form: 'stored',
  totalBytes: dataBytes,
  encoded: false,
  contentType: 'image/jpeg',
  multipart: false,
} as const;

function headOf(id: bigint): string {
  const lines = [
    'HTTP/1.1 200 OK',
    'Accept-Ranges: bytes',
    'Content-Disposition: inline; filename="IMG_20240612_183512.jpg"',
    `Content-Length: ${dataBytes}`,
    'Content-Type: image/jpeg',
    `Etag: "${id.toString(16).padStart(8, '0')}"`,
    'Last-Modified: Wed, 12 Jun 2024 18:35:12 GMT',
    `Server: ${server}`,
    `X-Amz-Request-Id: ${marks.requestId}`,
    `Date: ${marks.date}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** First the things that are made once, whatever the count. */
await fill(1n, 1000);
await prepare(1n, 1000);
const before = usedBytes();
await fill(10_000n, needles);
const bytesPerNeedle = (usedBytes() - before) / needles;
const accounted = cache.stats().bytes;
const withoutHeads = usedBytes();
await prepare(10_000n, needles);
const bytesPerHead = (usedBytes() - withoutHeads) / needles;
const accountedPerHead = (cache.stats().bytes - accounted) / needles;

/** Three times as many as there is room for, over a full cache: arrays and maps stay at their widest. */
for (let id = 1n; id < 10_000n + BigInt(needles); id += 1n) cache.written(3, id * 7n);
const emptied = usedBytes() - before;
await fill(1_000_000n, needles);
for (let round = 0; round < 3; round += 1) {
  for (let id = 1_000_000n; id < 1_000_000n + BigInt(needles); id += 1n) {
    if (id % 3n === BigInt(round)) cache.written(3, id * 7n);
  }
  await fill(2_000_000n + BigInt(round) * 1_000_000n, Math.floor(needles / 3));
}
const bytesPerNeedleAfterChurn = (usedBytes() - before) / cache.stats().needles;
const figures: CacheOverhead = {
  needles,
  nameBytes: 23,
  bytesPerNeedle,
  bytesPerNeedleAfterChurn,
  bytesWhenEmptied: emptied,
  bytesPerHead,
  accountedPerHead,
};
console.log(JSON.stringify(figures));
