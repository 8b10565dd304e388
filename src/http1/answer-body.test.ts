import { expect, it } from 'vitest';
import { AnswerBody } from './answer-body.ts';

it('of a length ends there', () => {
  const body = new AnswerBody({ kind: 'length', bytes: 5 });
  expect(body.take(Buffer.from('abc'))).toBe(3);
  expect(body.done).toBe(false);
  expect(body.take(Buffer.from('deHTTP'))).toBe(2);
  expect([body.done, body.ownBytes]).toEqual([true, 5]);
});

it('in chunks ends behind its trailers, and its framing is none of its own bytes', () => {
  const body = new AnswerBody({ kind: 'chunked' });
  const text = '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n';
  expect(body.take(Buffer.from(`${text}HTTP`))).toBe(text.length);
  expect([body.done, body.ownBytes]).toEqual([true, 5]);
});

it('in broken chunks is broken', () => {
  expect(new AnswerBody({ kind: 'chunked' }).take(Buffer.from('x\r\n'))).toBeUndefined();
});

it('that ends with its connection is never done before', () => {
  const body = new AnswerBody({ kind: 'eof' });
  expect(body.take(Buffer.alloc(1_000))).toBe(1_000);
  expect([body.done, body.endsWithConnection, body.ownBytes]).toEqual([false, true, 1_000]);
});

it('that is none takes nothing', () => {
  const body = new AnswerBody({ kind: 'none' });
  expect(body.done).toBe(true);
  expect(body.take(Buffer.from('stray'))).toBe(0);
});

it.each([1, 2, 3, 7, 1_000])('tells its content, read by %d bytes', (size) => {
  for (const [framing, text] of [
    [{ kind: 'length', bytes: 5 }, 'abcdeHTTP'],
    [{ kind: 'chunked' }, '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nHTTP'],
  ] as const) {
    const body = new AnswerBody(framing);
    const bytes = Buffer.from(text);
    let content = '';
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      body.take(piece, (from, to) => {
        content += piece.toString('latin1', from, to);
      });
    }
    expect([content, body.done]).toEqual(['abcde', true]);
  }
});
