import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turnstile, turnsBetween } from '../../connections/turnstile.ts';
import { RequestBody } from '../../http1/request-body.ts';
import { InputBuffer } from '../../http1/request-framer.ts';
import type { Exchange } from './exchange.ts';
import { Handover } from './handover.ts';
import type { VirtualConnection } from './virtual-connection.ts';

const exchange = {
  request: {
    head: { method: 'POST' },
    body: { kind: 'chunked' },
    block: { expectsContinue: false, offersUpgrade: false },
  },
  headBytes: Buffer.from('head', 'latin1'),
  bodyBegan: () => undefined,
} as unknown as Exchange;

interface Given {
  readonly handover: Handover;
  readonly unread: InputBuffer;
  /** The last that the connection was told: to read on or not. */
  isReading(): boolean;
  pumpedCount(): number;
}

/** A request whose body's bytes have come, and a turnstile that lets one piece through. */
function given(body: Buffer, adopt: (virtual: VirtualConnection) => void): Given {
  const unread = new InputBuffer();
  unread.append(Buffer.from(body));
  let isReading = true;
  let pumpedCount = 0;
  const side = {
    unread,
    setReading: (reading: boolean) => {
      isReading = reading;
    },
    pumped: () => {
      pumpedCount += 1;
    },
    answerAsNode: () => undefined,
    handBack: () => undefined,
  };
  const handover = new Handover(adopt, side, new Turnstile(0));
  handover.give(exchange);
  handover.begun();
  return { handover, unread, isReading: () => isReading, pumpedCount: () => pumpedCount };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await nextTurn();
}

test('small chunks are handed on joined, a turn for each piece', async () => {
  const chunks = Buffer.from(`${'1\r\nx\r\n'.repeat(5_000)}0\r\n\r\n`, 'latin1');
  const handed: Buffer[] = [];
  const { handover, unread, pumpedCount } = given(chunks, (virtual) =>
    virtual.on('data', (bytes: Buffer) => handed.push(Buffer.from(bytes))),
  );
  await turns(2);
  expect(unread.length).toBeGreaterThan(chunks.length - 20_000);
  expect(handover.bodyDone).toBe(false);
  expect(handover.owesBody).toBe(false);
  await turns(8 * turnsBetween);
  expect(unread.length).toBe(0);
  expect(handover.bodyDone).toBe(true);
  expect(pumpedCount()).toBeGreaterThan(0);
  expect(handed.length).toBeLessThan(8);
  const text = Buffer.concat(handed.slice(1)).toString('latin1');
  expect(text.replaceAll(/[^x]/g, '')).toBe('x'.repeat(5_000));
  const body = new RequestBody({ kind: 'chunked' });
  expect(body.take(Buffer.from(text))).toBe(text.length);
  expect([body.done, body.chunkBytes]).toEqual([true, 5_000]);
});

test('a body waits while Node takes none of it, whatever waited for its turn', async () => {
  const chunks = Buffer.from(
    `${`1000\r\n${'x'.repeat(4_096)}\r\n`.repeat(100)}0\r\n\r\n`,
    'latin1',
  );
  let taken: VirtualConnection | undefined;
  const { handover, unread, isReading } = given(chunks, (virtual) => {
    taken = virtual;
  });
  await turns(60 * turnsBetween);
  expect(unread.length).toBeGreaterThan(chunks.length - 2 * 65_536);
  expect(isReading()).toBe(false);
  expect(handover.owesBody).toBe(false);
  taken?.resume();
  await turns(60 * turnsBetween);
  expect(unread.length).toBe(0);
  expect([isReading(), handover.bodyDone]).toEqual([true, true]);
});
