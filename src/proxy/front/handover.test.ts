import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turnstile, turnsBetween } from '../../connections/turnstile.ts';
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

test('small chunks are handed on in pieces, a turn for each', async () => {
  const chunks = Buffer.from(`${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`, 'latin1');
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
  expect(unread.length).toBeGreaterThan(chunks.length - 2_000);
  expect(handover.bodyDone).toBe(false);
  expect(handover.owesBody).toBe(false);
  for (let turns = 0; turns < 4 * turnsBetween; turns += 1) await nextTurn();
  expect(unread.length).toBe(0);
  expect(handover.bodyDone).toBe(true);
  expect(hasPumped).toBe(true);
  expect(Buffer.concat(handed).toString('latin1')).toBe(`head${chunks.toString('latin1')}`);
});
