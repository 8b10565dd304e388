import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { AnswerPace, turnBytesMax } from './answer-pace.ts';

const never = (): void => {
  throw new Error('goes on without having waited');
};

it('lets answers have the bytes of a turn, and more in the next turn', async () => {
  const pace = new AnswerPace();
  expect(pace.allows(turnBytesMax / 2, 0, never)).toBe(true);
  expect(pace.allows(turnBytesMax / 2, 0, never)).toBe(true);
  let gone = 0;
  expect(pace.allows(1, 0, () => (gone += 1))).toBe(false);
  expect(gone).toBe(0);
  await turn();
  expect(gone).toBe(1);
  expect(pace.allows(turnBytesMax, 0, never)).toBe(true);
});

it('lets as many go on together as may have the next turn by what they had last', async () => {
  const pace = new AnswerPace();
  pace.allows(turnBytesMax, 0, never);
  const gone: number[] = [];
  for (const each of [1, 2, 3, 4, 5]) pace.allows(turnBytesMax / 2, 0, () => gone.push(each));
  await turn();
  expect(gone).toEqual([1, 2]);
  await turn();
  expect(gone).toEqual([1, 2, 3, 4]);
  await turn();
  expect(gone).toEqual([1, 2, 3, 4, 5]);
});

it('counts the framing of short chunks more than content, and that of long ones no more', async () => {
  const pace = new AnswerPace();
  const bytes = turnBytesMax / 100;
  expect(pace.allows(bytes, bytes / 10, never)).toBe(true);
  expect(pace.allows(bytes, bytes / 10, never)).toBe(true);
  expect(pace.allows(bytes, bytes / 2, never)).toBe(true);
  let gone = 0;
  expect(pace.allows(bytes, bytes / 2, () => (gone += 1))).toBe(false);
  await turn();
  expect(gone).toBe(1);
});

it('lets an answer whose piece costs more than a turn go on alone', async () => {
  const pace = new AnswerPace();
  const gone: number[] = [];
  for (const each of [1, 2, 3]) pace.allows(2 * turnBytesMax, 0, () => gone.push(each));
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    await turn();
    expect(gone).toEqual(expected);
  }
});
