/** Reads over verbs, judged while needles are written, deleted and vacuumed: as test/history, on processors ten times slower. */
import { expect, it } from 'vitest';
import { historyDefaults, runHistory } from '../history/run-history.ts';

const seconds = 120;

it(
  'a history of two minutes over verbs shows no read that could not have been',
  async () => {
    const load = { connections: 8, volumes: 2, writesPerSecond: 12, vacuumEveryMs: 3_000 };
    const least = { readsPerSecondMin: 10, writesPerSecondMin: 4, confirmEveryMs: 3_000 };
    const seed = Date.now() % 1_000_000;
    const options = { ...historyDefaults, ...load, ...least, seconds, seed };
    const report = await runHistory({ ...options, transport: 'verbs' });
    expect(report, JSON.stringify(report)).toMatchObject({ problems: [], violationCount: 0 });
  },
  (seconds + 120) * 1_000,
);
