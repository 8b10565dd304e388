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

  it('has the size lines that the grammar allows, and no others', () => {
    const line = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'09aAfFgG;:x\t "=\r\n\x00\x7f\xe9'), maxLength: 16 }),
      fc.stringMatching(/^[0-9A-Fa-f]{1,13}(;[\t -~]{0,8})?$/),
    );
    fc.assert(
      fc.property(line, fc.nat(20), (text, cutAt) => {
        const body = new RequestBody({ kind: 'chunked' });
        const bytes = Buffer.from(`${text}\r\n`, 'latin1');
        const first = body.take(bytes.subarray(0, cutAt));
        const isTaken = first !== undefined && body.take(bytes.subarray(cutAt)) !== undefined;
        const whole = /^([0-9A-Fa-f]{1,12})(;[\t -~]*)?\r\n$/.exec(bytes.toString('latin1'));
        if (whole !== null) {
          expect(isTaken).toBe(true);
          expect(body.chunkBytes).toBe(Number.parseInt(whole[1] as string, 16));
        } else if (!text.includes('\n')) {
          expect(isTaken).toBe(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('of a megabyte in chunks of one byte is counted without a string for each', () => {
    const bytes = Buffer.from('1\r\na\r\n'.repeat(175_000));
    const counted = (): number => {
      const startMs = performance.now();
      expect(new RequestBody({ kind: 'chunked' }).take(bytes)).toBe(bytes.length);
      return performance.now() - startMs;
    };
    const times = Array.from({ length: 8 }, counted);
    expect(Math.min(...times)).toBeLessThan(50);
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
