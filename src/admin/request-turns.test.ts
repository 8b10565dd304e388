import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { turnsBetween } from '../connections/turnstile.ts';
import { RequestTurns } from './request-turns.ts';

test('requests whose connection has closed leave their turns to the others', async () => {
  const turns = new RequestTurns();
  const closing = new Socket();
  const open = new Socket();
  const told: string[] = [];
  const ask = (socket: Socket, name: string): Promise<unknown> =>
    turns.wait(socket).then(() => told.push(name));
  for (let at = 0; at < 1_000; at += 1) void ask(closing, 'closed');
  void ask(open, 'first');
  void ask(open, 'second');
  closing.destroy();
  await new Promise((resolve) => closing.once('close', resolve));
  await Promise.resolve();
  expect(told.length).toBe(1_000);
  for (let at = 0; at < 2 * turnsBetween; at += 1) await nextTurn();
  expect(told.slice(1_000)).toEqual(['first', 'second']);
});
