/** Every read through proxy and target, judged while needles are written, deleted and vacuumed; the long run is run-history.ts. */
import { describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { ofBroken, ofTcp } from './bad-network.ts';
import {
  type HistoryOptions,
  type HistoryReport,
  historyDefaults,
  runHistory,
} from './run-history.ts';

const isUcxThere = loadBinding().hasUcx;
const seed = Date.now() % 1_000_000;
const timeoutMs = 90_000;

async function expectSound(options: Partial<HistoryOptions>): Promise<HistoryReport> {
  const report = await runHistory({ ...historyDefaults, seed, ...options });
  expect(report, JSON.stringify(report)).toMatchObject({ problems: [], violationCount: 0 });
  return report;
}

describe('a history', () => {
  test(
    'over inproc shows no read that could not have been',
    async () => {
      await expectSound({ transport: 'inproc' });
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere)(
    'over ucx shows no read that could not have been',
    async () => {
      await expectSound({ transport: 'ucx' });
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere)(
    'over tcp shows no read that could not have been',
    async () => {
      await expectSound({ transport: 'tcp', seconds: 10 });
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere).each(['tcp', 'ucx'] as const)(
    'over %s with three sessions a target shows no read that could not have been',
    async (transport) => {
      await expectSound({ transport, rdmaToml: 'connections = 3\n', seconds: 8 });
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere).each([
    ['bad', 'without TLS', ofTcp],
    ['broken', 'with TLS', [...ofTcp, ...ofBroken]],
  ] as const)(
    'over tcp through a %s network, %s, fails no request and shows no read that could not have been',
    async (network, tls, weathers) => {
      const isTlsOff = tls === 'without TLS';
      const { met, unavailable, longestReadMs, carriedBy } = await expectSound({
        ...{ transport: 'tcp', network, isTlsOff, seconds: 1, connections: 16 },
        ...{ readsPerSecondMin: 40, writesPerSecondMin: 5 },
      });
      expect(carriedBy).toMatch(isTlsOff ? /^tcp$/ : /^k?tls$/);
      expect(unavailable).toEqual({});
      // The deadline of 2 s, and the volume server's time; connections are held for 5 s.
      expect(longestReadMs).toBeLessThan(4_500);
      expect(Object.keys(met).toSorted()).toEqual(weathers.toSorted());
    },
    180_000,
  );

  test.skipIf(!isUcxThere).each(['lease', 'immutable'] as const)(
    'under %s shows what is promised of it',
    async (consistency) => {
      await expectSound({ transport: 'ucx', consistency, seconds: 10 });
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere).each(['strict', 'lease'] as const)(
    'with four lanes under %s shows what is promised of it, whichever lane a connection is in',
    async (consistency) => {
      const options = { transport: 'ucx', consistency, lanes: 4, seconds: 8 } as const;
      const { laneRequests } = await expectSound(options);
      expect(laneRequests).toHaveLength(4);
    },
    timeoutMs,
  );

  test.skipIf(!isUcxThere)(
    'under immutable shows stale reads to the judge of strict',
    async () => {
      const consistency = 'immutable';
      const options = {
        ...historyDefaults,
        seed,
        consistency,
        judgedAs: 'strict',
        seconds: 3,
      } as const;
      const { violations, violationCount } = await runHistory(options);
      expect(violationCount).toBeGreaterThan(10);
      expect(violations.map(({ kind, source }) => [kind, source])).toContainEqual([
        'stale',
        'cache',
      ]);
    },
    timeoutMs,
  );
});
