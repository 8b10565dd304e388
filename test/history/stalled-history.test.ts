/**
 * A history in which answers from the target stall on their way: writes are acknowledged, validated and seen while an
 * older READ is still under way, which a machine's own shared memory is too fast for.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { NeedleCache } from '../../src/proxy/cache/needle-cache.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { subjectKinds } from '../contract/subjects.ts';
import { seededRandom } from './needle-set.ts';
import { ProxyInProcess } from './proxy-in-process.ts';
import { Workload } from './workload.ts';

const kinds = subjectKinds.filter(
  ({ name }) => name === 'inproc' || (name === 'ucx-shm' && loadBinding().hasUcx),
);

let proxy: ProxyInProcess;
afterEach(() => proxy.close());

describe.each(kinds)('a history with stalls over $name', (kind) => {
  test.each(['strict', 'immutable'] as const)(
    'shows under %s no read that could not have been',
    async (consistency) => {
      const seed = Date.now() % 1_000_000;
      const random = seededRandom(seed);
      proxy = await ProxyInProcess.start({
        kind,
        policy: { consistency, leaseMs: 0 },
        newCache: (options) => new NeedleCache(options),
        interposition: { answerDelayMs: () => (random() < 0.3 ? random() * 30 : 0) },
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
        unseenMsMax: consistency === 'strict' ? 0 : Number.POSITIVE_INFINITY,
      });
      await workload.prepare();
      const summary = await workload.run();
      expect(summary, JSON.stringify(summary)).toMatchObject({
        violationCount: 0,
        failedChanges: {},
      });
      expect(summary.contentBySource['cache']).toBeGreaterThan(500);
      expect(summary.writes).toBeGreaterThan(100);
      expect(proxy.cache.stats().joins).toBeGreaterThan(50);
    },
    60_000,
  );
});
