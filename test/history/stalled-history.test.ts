/**
 * A history in which answers from the target stall on their way: writes are acknowledged, validated and seen while an
 * older READ is still under way, which a machine's own shared memory is too fast for.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { NeedleCache } from '../../src/proxy/cache/needle-cache.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { type SubjectKind, subjectKinds } from '../contract/subjects.ts';
import { seededRandom } from './needle-set.ts';
import { ProxyInProcess } from './proxy-in-process.ts';
import { Workload } from './workload.ts';

/** A lease is longer than an answer ever takes, or it would be over before it begins. */
const leaseMs = 100;
const delayMsMax = 30;
const unseenMsMax = { strict: 0, lease: leaseMs, immutable: Number.POSITIVE_INFINITY };
/** `inproc` gives no leases. */
const histories = [
  ['inproc', 'strict'],
  ['inproc', 'immutable'],
  ['ucx-shm', 'strict'],
  ['ucx-shm', 'lease'],
  ['ucx-shm', 'immutable'],
] as const;

let proxy: ProxyInProcess;
afterEach(() => proxy.close());

describe('a history with stalls', () => {
  test.each(histories.filter(([name]) => name === 'inproc' || loadBinding().hasUcx))(
    'over %s shows under %s no read that could not have been',
    async (name, consistency) => {
      const seed = Date.now() % 1_000_000;
      const random = seededRandom(seed);
      proxy = await ProxyInProcess.start({
        kind: subjectKinds.find((kind) => kind.name === name) as SubjectKind,
        policy: { consistency, leaseMs },
        newCache: (options) => new NeedleCache(options),
        interposition: { answerDelayMs: () => (random() < 0.3 ? random() * delayMsMax : 0) },
        volumeIds: [1, 2],
      });
      const workload = new Workload({
        server: proxy.server,
        proxyPort: proxy.port,
        seconds: 8,
        connections: 32,
        needlesPerVolume: 6,
        writesPerSecond: 300,
        vacuumEveryMs: 250,
        seed,
        unseenMsMax: unseenMsMax[consistency],
      });
      await workload.prepare();
      const summary = await workload.run();
      expect(summary, JSON.stringify(summary)).toMatchObject({
        violationCount: 0,
        failedChanges: {},
      });
      expect(summary.contentBySource['cache']).toBeGreaterThan(500);
      expect(summary.writes).toBeGreaterThan(100);
      const { joins, hits, validatedHits } = proxy.cache.stats();
      expect(joins).toBeGreaterThan(50);
      // A lease was in force, and ran out or was lost.
      if (consistency === 'lease') {
        expect(validatedHits).toBeGreaterThan(20);
        expect(hits - validatedHits).toBeGreaterThan(200);
      }
    },
    60_000,
  );
});
