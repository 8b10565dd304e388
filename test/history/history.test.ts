/** Every read through proxy and target, judged while needles are written, deleted and vacuumed; the long run is run-history.ts. */
import { describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { historyDefaults, runHistory } from './run-history.ts';

const transports = loadBinding().hasUcx ? (['inproc', 'ucx'] as const) : (['inproc'] as const);

describe.each(transports)('a history over %s', (transport) => {
  test('shows no read that could not have been', async () => {
    const seed = Date.now() % 1_000_000;
    const report = await runHistory({ ...historyDefaults, transport, seconds: 20, seed });
    expect(report, JSON.stringify(report)).toMatchObject({ problems: [], violationCount: 0 });
  }, 90_000);
});
