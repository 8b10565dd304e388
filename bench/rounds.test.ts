/** How rounds are measured, and what they come to. */
import { expect, test } from 'vitest';
import { inRounds, median, ratioOf } from './rounds.ts';

test('every other round goes backwards, and figures keep their rounds', async () => {
  const order: string[] = [];
  const figures = await inRounds(['a', 'b', 'c'], 3, async (name) => order.push(name));
  expect(order.join('')).toBe('abccbaabc');
  expect(figures).toEqual({ a: [1, 6, 7], b: [2, 5, 8], c: [3, 4, 9] });
});

test('a ratio is the median of the rounds, not the ratio of medians', () => {
  expect(median([5, 1, 9])).toBe(5);
  expect(ratioOf([10, 40, 90], [10, 20, 30])).toBe(2);
  expect(ratioOf([10, 40, 90], [90, 20, 10])).toBe(2);
});
