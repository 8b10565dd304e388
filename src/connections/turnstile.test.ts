import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import {
  newcomersPerAddressMax,
  Turn,
  Turnstile,
  turnsAfterAll,
  turnsBetween,
} from './turnstile.ts';

/** Computes for so long. */
function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** Those who ask again and again would do so beside the tests of other files, whose clocks may stand. */
function whenOver(): () => boolean {
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  return () => isOver;
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
  const turnstile = new Turnstile(100);
  const gone: string[] = [];
  const ask = (name: string): void => {
    if (!turnstile.enter()) {
      turnstile.wait(() => ask(name));
      return;
    }
    work(60);
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

test('the first bytes of a connection go in the next turn, before all who wait; what follows goes behind them', async () => {
  const turnstile = new Turnstile(0);
  const gone: string[] = [];
  const turnOf = (name: string, newcomer?: { address: string }): Turn => {
    const turn = new Turn(
      turnstile,
      () => {
        if (!turn.enter()) return;
        gone.push(name);
        turn.leave();
      },
      newcomer,
    );
    return turn;
  };
  for (const name of ['a', 'b', 'c']) expect(turnOf(name).enter()).toBe(false);
  await nextTurn();
  expect(gone).toEqual(['a']);
  const newcomer = turnOf('new', { address: '10.0.0.1' });
  expect(newcomer.enter()).toBe(false);
  await nextTurn();
  expect(gone).toEqual(['a', 'new']);
  expect(newcomer.enter()).toBe(false);
  await turns(4 * turnsBetween);
  expect(gone).toEqual(['a', 'new', 'b', 'c', 'new']);
});

test('a crowd of newcomers from one address holds no newcomer of another one', async () => {
  const turnstile = new Turnstile(0);
  const gone: string[] = [];
  for (let at = 0; at < 100; at += 1) {
    turnstile.waitAsNewcomer('10.0.0.1', () => gone.push('crowd'));
  }
  turnstile.waitAsNewcomer('10.0.0.2', () => gone.push('probe'));
  await turns(newcomersPerAddressMax + 1);
  expect(gone).toContain('probe');
});

test('where turns of the event loop take too long fewer are let in, one at least, and more when they are short again', async () => {
  const turnstile = new Turnstile(20, 60);
  let gone = 0;
  let workMs = 1;
  const isOver = whenOver();
  const ask = (): void => {
    if (isOver()) return;
    if (!turnstile.enter()) {
      turnstile.wait(ask);
      return;
    }
    gone += 1;
    turnstile.leave();
    work(1);
    setImmediate(() => work(workMs));
    turnstile.wait(ask);
  };
  const goneInOpening = async (): Promise<number> => {
    const before = gone;
    await turns(turnsBetween + 1);
    return gone - before;
  };
  for (let at = 0; at < 40; at += 1) turnstile.wait(ask);
  workMs = 20;
  const atFirst = await goneInOpening();
  for (let at = 0; at < 5; at += 1) await goneInOpening();
  const whenBusy = await goneInOpening();
  expect(whenBusy).toBeGreaterThan(0);
  expect(whenBusy).toBeLessThanOrEqual(atFirst / 2);
  workMs = 0;
  for (let at = 0; at < 6; at += 1) await goneInOpening();
  expect(await goneInOpening()).toBeGreaterThan(whenBusy);
});

test('those who have more to ask after an opening that let all in wait as long as if others had been left', async () => {
  const turnstile = new Turnstile(1_000);
  let gone = 0;
  const isOver = whenOver();
  const ask = (): void => {
    gone += 1;
    if (!isOver()) turnstile.wait(ask);
  };
  turnstile.wait(ask);
  await turns(turnsBetween);
  expect(gone).toBe(1);
  await turns(turnsBetween);
  expect(gone).toBe(2);
});

test('after an opening that let in all who waited, it opens soon: requests that come one at a time need no pause', async () => {
  const turnstile = new Turnstile(1_000);
  let gone = 0;
  const ask = (): void => {
    gone += 1;
  };
  turnstile.wait(ask);
  await nextTurn();
  expect(gone).toBe(1);
  turnstile.wait(ask);
  await turns(turnsAfterAll);
  expect(gone).toBe(1);
  await nextTurn();
  expect(gone).toBe(2);
});

test('what was forgotten costs no turn, and is not called', async () => {
  const turnstile = new Turnstile(0);
  const gone: number[] = [];
  const places = [0, 1, 2, 3, 4].map((at) => turnstile.wait(() => gone.push(at)));
  for (const place of places.slice(0, 4)) turnstile.forget(place);
  await nextTurn();
  expect(gone).toEqual([4]);
});

test('a connection that has closed waits no more', async () => {
  const turnstile = new Turnstile(0);
  let goneOn = 0;
  const turn = new Turn(turnstile, () => {
    goneOn += 1;
  });
  turnstile.wait(() => undefined);
  expect(turn.enter()).toBe(false);
  turn.end();
  expect(turn.isWaiting).toBe(false);
  await turns(4 * turnsBetween);
  expect(goneOn).toBe(0);
});
