import { expect, it } from 'vitest';
import { RetryBudget } from './forwarding.ts';

it('lets one retry in five requests happen, besides a few at the start', () => {
  const budget = new RetryBudget();
  let retries = 0;
  for (let request = 0; request < 1_000; request += 1) {
    budget.earn();
    if (budget.spend()) retries += 1;
  }
  expect(retries).toBeGreaterThan(200);
  expect(retries).toBeLessThanOrEqual(211);
});

it('does not save up without bound', () => {
  const budget = new RetryBudget();
  for (let request = 0; request < 100_000; request += 1) budget.earn();
  let retries = 0;
  while (budget.spend()) retries += 1;
  expect(retries).toBe(100);
});
