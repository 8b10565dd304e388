import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeGzip, startsGzip } from './decode.ts';

const mebibyte = 1024 * 1024;

async function decoded(stored: Buffer, maxBytes = mebibyte): Promise<Buffer | string> {
  const result = await decodeGzip(stored, maxBytes);
  return result.kind === 'decoded' ? result.bytes : result.kind;
}

const bytes = fc.uint8Array({ maxLength: 500 }).map((array) => Buffer.from(array));

/** A member with the given flag byte and what such flags put before the data. */
function member(flags: number, fields: Buffer): Buffer {
  const plain = gzipSync('data');
  const head = Buffer.from(plain.subarray(0, 10));
  head[3] = flags;
  return Buffer.concat([head, fields, plain.subarray(10)]);
}

describe('decodeGzip', () => {
  it('gives back what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, async (data) => {
        expect(await decoded(gzipSync(data))).toEqual(data);
      }),
    );
  });

  it('joins members', async () => {
    const stored = Buffer.concat([gzipSync('one'), gzipSync(''), gzipSync('two')]);
    expect(String(await decoded(stored))).toBe('onetwo');
  });

  it('leaves more members than it is told to others', async () => {
    const stored = Buffer.concat(Array.from({ length: 40 }, () => gzipSync('B')));
    expect(await decodeGzip(stored, 100, 40)).toMatchObject({ kind: 'decoded' });
    expect(await decodeGzip(stored, 100, 39)).toEqual({ kind: 'too-large' });
  });

  it('refuses any byte behind the last member', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (data, rest) => {
        fc.pre(rest.length > 0);
        expect(await decoded(Buffer.concat([gzipSync(data), rest]))).toBe('corrupt');
      }),
    );
    expect(await decoded(Buffer.concat([gzipSync('x'), Buffer.alloc(20)]))).toBe('corrupt');
  });

  it('refuses every cut', async () => {
    const stored = gzipSync('some data that is long enough');
    for (let end = 2; end < stored.length; end += 1) {
      expect(await decoded(stored.subarray(0, end))).toBe('corrupt');
    }
  });

  it('refuses a wrong checksum and a wrong length', async () => {
    for (const fromEnd of [1, 4, 5, 8]) {
      const stored = Buffer.from(gzipSync('data'));
      const at = stored.length - fromEnd;
      stored[at] = (stored[at] as number) ^ 1;
      expect(await decoded(stored)).toBe('corrupt');
    }
  });

  it('reads the optional fields of a header', async () => {
    expect(String(await decoded(member(0x08, Buffer.from('na\xe9me\0', 'latin1'))))).toBe('data');
    expect(String(await decoded(member(0x18, Buffer.from('name\0comment\0'))))).toBe('data');
    expect(String(await decoded(member(0x04, Buffer.from([3, 0, 1, 2, 3]))))).toBe('data');
    expect(String(await decoded(member(0xe0, Buffer.alloc(0))))).toBe('data');
  });

  it('refuses names over Go’s buffer, fields without an end and a wrong header checksum', async () => {
    const name = (length: number): Buffer => Buffer.from(`${'n'.repeat(length)}\0`);
    expect(String(await decoded(member(0x08, name(511))))).toBe('data');
    expect(await decoded(member(0x08, name(512)))).toBe('corrupt');
    expect(await decoded(member(0x04, Buffer.from([0xff, 0xff])))).toBe('corrupt');
    expect(await decoded(member(0x02, Buffer.from([1, 2])))).toBe('corrupt');
  });

  it('inflates what is large, off the event loop', async () => {
    const data = Buffer.alloc(3 * mebibyte, 'abc');
    expect(await decoded(gzipSync(data), 4 * mebibyte)).toEqual(data);
  });

  it('inflates a large member before a small one', async () => {
    const data = Buffer.alloc(200_000, 'abc');
    const stored = Buffer.concat([gzipSync(data), gzipSync('end')]);
    expect(await decoded(stored)).toEqual(Buffer.concat([data, Buffer.from('end')]));
  });

  it('stops at the bound', async () => {
    const small = gzipSync(Buffer.alloc(1000));
    expect(await decoded(small, 999)).toBe('too-large');
    expect(await decoded(small, 1000)).toHaveLength(1000);
    expect(await decoded(gzipSync(Buffer.alloc(10 * mebibyte)), mebibyte)).toBe('too-large');
    expect(await decoded(Buffer.concat([small, small]), 1999)).toBe('too-large');
    expect(await decoded(Buffer.concat([small, gzipSync('')]), 1000)).toHaveLength(1000);
    expect(await decoded(gzipSync('x'), 0)).toBe('too-large');
  });

  it('leaves what is no gzip as it is', async () => {
    expect(String(await decoded(Buffer.from('plain')))).toBe('plain');
    expect(startsGzip(Buffer.from([0x1f]))).toBe(false);
    expect(startsGzip(Buffer.from([0x1f, 0x8b]))).toBe(true);
  });
});
