import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestBody } from './request-body.ts';

const next = 'GET /1,01 HTTP/1.1\r\n';

describe('a body of known length', () => {
  it('takes its own bytes and none of the next request', () => {
    const body = new RequestBody({ kind: 'length', bytes: 5 });
    expect(body.take(Buffer.from('hel'))).toBe(3);
    expect(body.done).toBe(false);
    expect(body.take(Buffer.from(`lo${next}`))).toBe(2);
    expect(body.done).toBe(true);
    expect(body.take(Buffer.from(next))).toBe(0);
  });

  it('is done at once without bytes', () => {
    expect(new RequestBody({ kind: 'length', bytes: 0 }).done).toBe(true);
    expect(new RequestBody({ kind: 'none' }).done).toBe(true);
  });
});

describe('a chunked body', () => {
  it('ends behind its last chunk, however it is cut', () => {
    const text = '3;a="b"\r\nabc\r\nA\r\n\r\n0\r\n\r\nGET\r\n0\r\nX: y\r\nZ:\r\n\r\n';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (sizes) => {
        const body = new RequestBody({ kind: 'chunked' });
        const bytes = Buffer.from(text + next);
        let at = 0;
        let taken = 0;
        for (let i = 0; at < bytes.length; i += 1) {
          const size = sizes[i % sizes.length] as number;
          const count = body.take(bytes.subarray(at, at + size));
          expect(count).toBeDefined();
          taken += count as number;
          at += size;
        }
        expect(body.done).toBe(true);
        expect(taken).toBe(text.length);
      }),
    );
  });

  it.each([
    ['a blank before an extension', '3 ;a=b\r\nabc\r\n'],
    ['a control byte in an extension', '3;a=\x01\r\nabc\r\n'],
    ['a trailer without a colon', '0\r\nX\r\n\r\n'],
    ['a folded trailer', '0\r\nX: y\r\n z\r\n\r\n'],
    ['endless trailers', `0\r\n${'X: y\r\n'.repeat(70)}`],
    ['a bare line feed', '3\nabc\r\n'],
    ['no CRLF behind the data', '3\r\nabcd\r\n'],
    ['a carriage return alone behind the data', '3\r\nabc\rX'],
    ['a sign', '+3\r\nabc\r\n'],
    ['0x', '0x3\r\nabc\r\n'],
    ['an empty size', '\r\nabc'],
    ['an endless size', '1000000000000\r\n'],
    ['an endless line', '0'.repeat(2_000)],
  ])('is broken by %s, also byte by byte', (_name, text) => {
    expect(new RequestBody({ kind: 'chunked' }).take(Buffer.from(text))).toBeUndefined();
    const body = new RequestBody({ kind: 'chunked' });
    const broken = [...text].some((byte) => body.take(Buffer.from(byte)) === undefined);
    expect(broken).toBe(true);
  });
});
