import { expect, it } from 'vitest';
import { RecentTimes } from './recent-times.ts';

it('knows no percentile of fewer durations than it needs', () => {
  const times = new RecentTimes(0.99, 100);
  for (let i = 0; i < 99; i += 1) times.add(1);
  expect(times.value).toBeUndefined();
  times.add(1);
  expect(times.value).toBe(1);
});

it('gives the 99th percentile of the latest 1,024', () => {
  const times = new RecentTimes(0.99, 100);
  for (let i = 0; i < 10_000; i += 1) times.add(500);
  for (let i = 0; i < 2_048; i += 1) times.add(i % 1_024);
  expect(times.value).toBe(1_013);
});
