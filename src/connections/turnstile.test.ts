import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turnstile, turnsBetween } from './turnstile.ts';

/** Computes for so long. */
function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await nextTurn();
}

test('without a budget requests that come together go one at a time, in their order', async () => {
  const turnstile = new Turnstile(0);
  const gone: number[] = [];
  for (let at = 0; at < 4; at += 1) {
    expect(turnstile.enter()).toBe(false);
    turnstile.wait(() => gone.push(at));
  }
  for (const expected of [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]) {
    await nextTurn();
    expect(gone).toEqual(expected);
    await turns(turnsBetween);
    expect(gone).toEqual(expected);
  }
});

test('requests that fit into the budget of a turn do not wait', () => {
  const turnstile = new Turnstile(1_000);
  for (let at = 0; at < 1_000; at += 1) {
    expect(turnstile.enter()).toBe(true);
    turnstile.leave();
  }
});

test('what does not fit waits for turns of its own, and newcomers behind it', async () => {
  const turnstile = new Turnstile(20);
  const gone: string[] = [];
  const ask = (name: string): void => {
    if (!turnstile.enter()) {
      turnstile.wait(() => ask(name));
      return;
    }
    work(12);
    gone.push(name);
    turnstile.leave();
  };
  for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name);
  expect(gone).toEqual(['a', 'b']);
  await nextTurn();
  expect(gone).toEqual(['a', 'b', 'c', 'd']);
  ask('f');
  await turns(turnsBetween);
  expect(gone).toEqual(['a', 'b', 'c', 'd']);
  await turns(turnsBetween + 2);
  expect(gone).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('a process that was idle has its whole budget again', async () => {
  const turnstile = new Turnstile(5);
  expect(turnstile.enter()).toBe(true);
  work(6);
  turnstile.leave();
  expect(turnstile.enter()).toBe(false);
  work(4);
  expect(turnstile.enter()).toBe(true);
});
