import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { FramingPace } from './framing-pace.ts';

const never = (): void => {
  throw new Error('goes on without having waited');
};

it('lets answers with few chunks read as much as they like', () => {
  const pace = new FramingPace();
  for (let i = 0; i < 100; i += 1) expect(pace.allows(1_048_576, 65_536, never)).toBe(true);
});

it('lets short chunks be read until the turn has had its share, and more in the next turn', async () => {
  const pace = new FramingPace();
  expect(pace.allows(70_000, 60_000, never)).toBe(true);
  let gone = 0;
  expect(pace.allows(7_000, 6_000, () => (gone += 1))).toBe(false);
  expect(gone).toBe(0);
  await turn();
  expect(gone).toBe(1);
  expect(pace.allows(70_000, 60_000, never)).toBe(true);
});

it('lets the answers that wait go on in their order, one in a turn', async () => {
  const pace = new FramingPace();
  pace.allows(80_000, 70_000, () => undefined);
  const gone: number[] = [];
  for (const each of [1, 2, 3]) pace.allows(8_000, 7_000, () => gone.push(each));
  await turn();
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    await turn();
    expect(gone).toEqual(expected);
  }
});
