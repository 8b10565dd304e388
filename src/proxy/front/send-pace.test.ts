import { expect, it } from 'vitest';
import { SendPace } from './send-pace.ts';

it('gives a client that reads fast more at a time, up to a mebibyte', () => {
  const pace = new SendPace();
  const seen = [pace.bytes];
  for (let i = 0; i < 4; i += 1) {
    expect(pace.left(1)).toBe(false);
    seen.push(pace.bytes);
  }
  expect(seen).toEqual([262_144, 524_288, 1_048_576, 1_048_576, 1_048_576]);
});

it('gives one that does not little, until it is fast again', () => {
  const pace = new SendPace();
  pace.left(1);
  expect(pace.left(251)).toBe(true);
  expect(pace.bytes).toBe(131_072);
  expect(pace.left(250)).toBe(false);
  expect(pace.bytes).toBe(131_072);
  expect(pace.left(1)).toBe(false);
  expect(pace.bytes).toBe(262_144);
});
