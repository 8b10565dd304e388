import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeGzip, membersMax } from './decode.ts';
import { decodePart } from './decode-part.ts';

const maxBytes = 2_000;
const bytes = fc.uint8Array({ maxLength: 500 }).map((array) => Buffer.from(array));
const members = fc
  .array(bytes, { minLength: 1, maxLength: 3 })
  .map((parts) => Buffer.concat(parts.map((part) => gzipSync(part))));

describe('a part of what gzip decodes to', () => {
  it('is what decoding all of it gives', async () => {
    await fc.assert(
      fc.asyncProperty(members, fc.nat(1_600), fc.nat(1_600), async (stored, start, length) => {
        const wanted = { start, end: start + length };
        const whole = await decodeGzip(stored, maxBytes);
        if (whole.kind !== 'decoded') throw new Error(whole.kind);
        expect(await decodePart(stored, maxBytes, wanted)).toEqual({
          kind: 'part',
          bytes: whole.bytes.subarray(wanted.start, wanted.end),
          totalBytes: whole.bytes.length,
        });
      }),
    );
  });

  it('of damaged bytes is none, wherever the damage is', async () => {
    await fc.assert(
      fc.asyncProperty(members, fc.nat(), fc.integer({ min: 1, max: 255 }), async (good, at, x) => {
        const stored = Buffer.from(good);
        // Behind the two bytes that make it gzip.
        const index = 2 + (at % (stored.length - 2));
        stored[index] = (stored[index] as number) ^ x;
        const whole = await decodeGzip(stored, maxBytes);
        const part = await decodePart(stored, maxBytes, { start: 0, end: 1 });
        if (whole.kind === 'decoded')
          expect(part).toMatchObject({ totalBytes: whole.bytes.length });
        else expect(part.kind).toBe(whole.kind);
      }),
    );
    const cut = gzipSync('some data').subarray(0, -9);
    expect(await decodePart(cut, maxBytes, { start: 0, end: 1 })).toEqual({ kind: 'corrupt' });
  });

  it('of too many members is not looked for', async () => {
    const members = (count: number): Buffer =>
      Buffer.concat(Array.from({ length: count }, () => gzipSync('B')));
    const wanted = { start: 0, end: 1 };
    expect(await decodePart(members(membersMax), maxBytes, wanted)).toMatchObject({ kind: 'part' });
    const more = members(membersMax + 1);
    expect(await decodePart(more, maxBytes, wanted)).toEqual({ kind: 'too-large' });
  });

  it('is not looked for beyond the bound', async () => {
    const stored = gzipSync(Buffer.alloc(maxBytes + 1));
    const wanted = { start: 0, end: 1 };
    expect(await decodePart(stored, maxBytes, wanted)).toEqual({ kind: 'too-large' });
    expect(await decodePart(stored, maxBytes + 1, wanted)).toMatchObject({ kind: 'part' });
  });
});
