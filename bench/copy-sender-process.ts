/**
 * The sender in the bench of copying: the proxy's own front twice, one that copies every needle and one that copies
 * none, over one arena of needles at random places. Argument: the sizes as JSON. Says its ports and the needles' paths.
 */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { marks, PreparedAnswer } from '../src/needle/answer/prepared-answer.ts';
import type { NeedleRoute } from '../src/needle/needle-outcome.ts';
import { CachedNeedle, CachedVolume } from '../src/proxy/cache/cached-volume.ts';
import { NeedleCache } from '../src/proxy/cache/needle-cache.ts';
import { NeedleHit } from '../src/proxy/corridor/needle-read.ts';
import { startHttpFront } from '../src/proxy/front/server.ts';
import { forwarders } from '../src/proxy/passthrough/forwarders.ts';
import { LeasePool } from '../src/rdma/lease.ts';
import { generousLimits } from '../test/integration/http-front-fixture.ts';
import type { CopyWay } from './copy-limit.ts';
import type { Needles } from './needles.ts';

export interface CopySender {
  readonly ports: Readonly<Record<CopyWay, number>>;
  readonly needles: readonly Needles[];
  readonly arenaBytes: number;
}

interface Hits {
  readonly prepared: PreparedAnswer;
  readonly needles: readonly CachedNeedle[];
  next: number;
}

const mebibyte = 1024 * 1024;
const arenaBytesMin = 256 * mebibyte;
const arenaBytesMax = 1024 * mebibyte;
/** Needles of one size. More would make the bench measure JavaScript's heap. */
const needlesMax = 16_384;
const volumeId = 3;
const cookie = 1;
const server = 'SeaweedFS Volume 30GB 4.44';
const upstreamUrl = 'http://127.0.0.1:9';

const sizes = JSON.parse(process.argv[2] ?? '') as readonly number[];
const arenaBytes = Math.max(arenaBytesMin, Math.min(arenaBytesMax, 2 * lastLevelCacheBytes()));
const arena = new ArrayBuffer(arenaBytes);
// Pages that were never written are all the same one.
Buffer.from(arena).fill('seaweed');
const pool = new LeasePool(() => undefined, arena);
const volume = new CachedVolume(
  1,
  volumeId,
  '',
  { consistency: 'immutable', leaseMs: 0 },
  { dropChanged: () => undefined, sweep: () => undefined },
);
const noCache = NeedleCache.off();
const hits = new Map(sizes.map((bytes) => [pathOf(bytes), hitsOf(bytes)]));
const route: NeedleRoute = {
  serve({ target }, _hasBody, receiver): void {
    const { prepared, needles, next } = hits.get(target) as Hits;
    (hits.get(target) as Hits).next = (next + 1) % needles.length;
    const needle = needles[next] as CachedNeedle;
    receiver.receive(
      new NeedleHit(noCache, prepared, needle, undefined, { close: false, token: undefined }),
    );
  },
  upstreamFor: () => upstreamUrl,
};
const largest = Math.max(...sizes);
const ports = { copied: await portOf(largest), whole: await portOf(0) };
const needles = sizes.map((bytes) => ({ bytes, paths: [pathOf(bytes)] }));
process.send?.({ ports, needles, arenaBytes } satisfies CopySender);
process.once('disconnect', () => process.exit(0));

async function portOf(copiedBytesMax: number): Promise<number> {
  const front = await startHttpFront(
    {
      listen: { host: '127.0.0.1', port: 0 },
      ...{ lane: true, debugHeaders: false, limits: generousLimits, copiedBytesMax },
      logger: pino({ level: 'silent' }),
    },
    route,
    forwarders,
  );
  return front.port;
}

function pathOf(bytes: number): string {
  return `/${volumeId},${bytes.toString(16)}00000001`;
}

function hitsOf(bytes: number): Hits {
  const count = Math.min(needlesMax, Math.floor(arenaBytes / bytes));
  const all = Array.from({ length: count }, () => needleOf(bytes));
  return { prepared: preparedOf(bytes), needles: all, next: 0 };
}

/** Overlaps others, which does not matter where needles are only read. */
function needleOf(bytes: number): CachedNeedle {
  const places = Math.floor((arenaBytes - bytes) / 1024);
  const view = Buffer.from(arena, Math.floor(Math.random() * places) * 1024, bytes);
  const needle = {
    ...{ volumeId, needleId: BigInt(bytes), cookie, epoch: 0n, position: 0n, volumeVersion: 3 },
    ...{ flags: 0, indexBytes: bytes + 60, dataBytes: bytes, checksum: 1, isStream: false },
    ...{ lastModifiedSeconds: 1_718_217_312, appendAtNs: 1n, ttlLeftMs: undefined },
    ...{ name: '', mime: 'image/jpeg', pairs: '' },
  };
  const kept = pool.take(1, bytes).keep(view);
  return new CachedNeedle(volume, needle.needleId, needle, needle.mime, kept, undefined);
}

function preparedOf(bytes: number): PreparedAnswer {
  const lines = [
    'HTTP/1.1 200 OK',
    'Accept-Ranges: bytes',
    `Content-Length: ${bytes}`,
    'Content-Type: image/jpeg',
    'Etag: "1badcafe"',
    'Last-Modified: Wed, 12 Jun 2024 18:35:12 GMT',
    `Server: ${server}`,
    `X-Amz-Request-Id: ${marks.requestId}`,
    `Date: ${marks.date}`,
  ];
  const plan = {
    ...({ kind: 'answer', status: 200, form: 'stored', totalBytes: bytes } as const),
    ...{ encoded: false, contentType: 'image/jpeg', multipart: false },
    ranges: [{ start: 0, end: bytes }],
  };
  return PreparedAnswer.of(
    plan,
    { server, kind: 'go' },
    { mime: 'image/jpeg' },
    `${lines.join('\r\n')}\r\n\r\n`,
  ) as PreparedAnswer;
}

/** 0: the kernel does not say. */
function lastLevelCacheBytes(): number {
  for (const index of [3, 2]) {
    try {
      const file = `/sys/devices/system/cpu/cpu0/cache/index${index}/size`;
      return Number.parseInt(readFileSync(file, 'latin1'), 10) * 1024;
    } catch {
      // A level that this CPU does not have.
    }
  }
  return 0;
}
