import { expect, test } from 'vitest';
import { MetricSet } from './metric-set.ts';
import { targetMetricTable } from './metric-table.ts';

test('scrapes that come while one is written share it, later ones do not', async () => {
  const set = new MetricSet(targetMetricTable);
  let refreshed = 0;
  set.onScrape(() => {
    refreshed += 1;
  });
  const [first, second] = await Promise.all([set.expose(), set.expose()]);
  expect(second).toBe(first);
  expect(refreshed).toBe(1);
  expect(await set.expose()).not.toBe(first);
  expect(refreshed).toBe(2);
});
