/** A version that is rolled out meets the one before it on either side: the reads of such pairs are judged as those of one version. */
import { describe, expect, test } from 'vitest';
import { previousVersion } from '../../scripts/setup/previous-place.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { historyDefaults, runHistory } from './run-history.ts';

const previous = previousVersion();

describe.skipIf(previous === undefined || !loadBinding().hasUcx)('the previous version', () => {
  const root = previous as string;
  test.each([
    ['target', 'ucx', { target: root }],
    ['target', 'tcp', { target: root }],
    ['proxy', 'ucx', { proxy: root }],
    ['proxy', 'tcp', { proxy: root }],
  ] as const)(
    'of the %s over %s shows no read that could not have been',
    async (_, transport, versions) => {
      const seed = Date.now() % 1_000_000;
      // Few writes: on a busy machine there are few reads between them.
      const load = { seconds: 4, connections: 8, volumes: 2, writesPerSecond: 30 };
      const report = await runHistory({ ...historyDefaults, ...load, seed, transport, versions });
      expect(report, JSON.stringify(report)).toMatchObject({ problems: [], violationCount: 0 });
    },
  );
});
