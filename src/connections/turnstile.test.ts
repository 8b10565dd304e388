import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turnstile } from './turnstile.ts';

test('a request alone does not wait', async () => {
  const turnstile = new Turnstile();
  expect(turnstile.pass()).toBeUndefined();
  await nextTurn();
  await nextTurn();
  expect(turnstile.pass()).toBeUndefined();
});

test('requests that come together go one a turn, in their order', async () => {
  const turnstile = new Turnstile();
  const gone: number[] = [];
  for (let at = 0; at < 4; at += 1) {
    void Promise.resolve(turnstile.pass()).then(() => gone.push(at));
  }
  await Promise.resolve();
  for (const expected of [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]) {
    await Promise.resolve();
    expect(gone).toEqual(expected);
    await nextTurn();
  }
  await nextTurn();
  expect(turnstile.pass()).toBeUndefined();
});
