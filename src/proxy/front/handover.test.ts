import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turnstile, turnsBetween } from '../../connections/turnstile.ts';
import { RequestBody } from '../../http1/request-body.ts';
import { InputBuffer } from '../../http1/request-framer.ts';
import type { Exchange } from './exchange.ts';
import { Handover } from './handover.ts';

const exchange = {
  request: {
    head: { method: 'POST' },
    body: { kind: 'chunked' },
    block: { expectsContinue: false, offersUpgrade: false },
  },
  headBytes: Buffer.from('head', 'latin1'),
  bodyBegan: () => undefined,
} as unknown as Exchange;

test('small chunks are handed on joined, a turn for each piece', async () => {
  const chunks = Buffer.from(`${'1\r\nx\r\n'.repeat(5_000)}0\r\n\r\n`, 'latin1');
  const unread = new InputBuffer();
  unread.append(Buffer.from(chunks));
  let hasPumped = false;
  const handed: Buffer[] = [];
  const side = {
    unread,
    setReading: () => undefined,
    pumped: () => {
      hasPumped = true;
    },
    answerAsNode: () => undefined,
    handBack: () => undefined,
  };
  const adopt = (virtual: {
    on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  }): void => {
    virtual.on('data', (bytes) => handed.push(Buffer.from(bytes)));
  };
  const handover = new Handover(adopt, side, new Turnstile(0));
  handover.give(exchange);
  handover.begun();
  await nextTurn();
  await nextTurn();
  expect(unread.length).toBeGreaterThan(chunks.length - 20_000);
  expect(handover.bodyDone).toBe(false);
  expect(handover.owesBody).toBe(false);
  for (let turns = 0; turns < 4 * turnsBetween; turns += 1) await nextTurn();
  expect(unread.length).toBe(0);
  expect(handover.bodyDone).toBe(true);
  expect(hasPumped).toBe(true);
  expect(handed.length).toBeLessThan(8);
  const text = Buffer.concat(handed.slice(1)).toString('latin1');
  expect(text.replaceAll(/[^x]/g, '')).toBe('x'.repeat(5_000));
  const body = new RequestBody({ kind: 'chunked' });
  expect(body.take(Buffer.from(text))).toBe(text.length);
  expect([body.done, body.chunkBytes]).toEqual([true, 5_000]);
});
