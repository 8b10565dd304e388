import { expect, it } from 'vitest';
import { freeAtOnce, ReadMemory } from './upstream-connection.ts';

it('is used again when it was given back, and not before', () => {
  const lent = ReadMemory.take();
  const giveBack = lent.lend();
  const other = ReadMemory.take();
  expect(other).not.toBe(lent);
  giveBack();
  // The reader still sees that the memory is no longer its own.
  expect(lent.wasLent).toBe(true);
  const again = ReadMemory.take();
  expect(again).toBe(lent);
  expect(again.wasLent).toBe(false);
});

it('is freed where the bytes are all of it', () => {
  const whole = Buffer.from(new ArrayBuffer(8));
  freeAtOnce(whole);
  expect(whole.length).toBe(0);
  const part = Buffer.from(new ArrayBuffer(8), 0, 4);
  freeAtOnce(part);
  expect(part.length).toBe(4);
});
