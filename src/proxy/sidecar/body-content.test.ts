import { describe, expect, it } from 'vitest';
import { BodyContent } from './body-content.ts';

const text = Buffer.from('0123456789abcdef');

/** In stretches of `step` bytes, each of them overwritten afterwards. */
function filled(offset: number, bytesMax: number, step: number): BodyContent {
  const content = new BodyContent({ offset, bytesMax, readBytesMax: 100 }, { kind: 'chunked' });
  for (let at = 0; at < text.length; at += step) {
    const stretch = Buffer.from(text.subarray(at, at + step));
    content.add(stretch);
    stretch.fill(0);
  }
  return content;
}

describe('the content of a body', () => {
  it.each([1, 3, 5, 16])('is held as far as it is wanted, in stretches of %i', (step) => {
    for (const [offset, bytesMax] of [
      [0, 100],
      [0, 5],
      [4, 4],
      [10, 100],
      [15, 1],
      [16, 9],
      [40, 9],
      [3, 0],
    ] as const) {
      const { held, bodyBytes } = filled(offset, bytesMax, step);
      expect(held).toEqual(text.subarray(offset, offset + bytesMax));
      expect(bodyBytes).toBe(text.length);
      expect(held.buffer.byteLength).toBeLessThanOrEqual(Math.min(bytesMax, 2 * text.length));
    }
  });

  it('has memory for what the length leaves behind the offset, and no more', () => {
    const wanted = { offset: 12, bytesMax: 1_000, readBytesMax: 1_000 };
    const content = new BodyContent(wanted, { kind: 'length', bytes: text.length });
    for (const byte of text) content.add(Buffer.from([byte]));
    expect(content.held).toEqual(text.subarray(12));
    expect(content.held.buffer.byteLength).toBe(4);
  });

  it.each([
    [0, 65_536, false],
    [0, 65_537, true],
    [80_000, 75_536, false],
    [80_000, 75_537, true],
  ])('of %i bytes with %i of framing is mostly framing: %s', (bytes, framingBytes, expected) => {
    const wanted = { offset: 0, bytesMax: 0, readBytesMax: 1e6 };
    const content = new BodyContent(wanted, { kind: 'chunked' });
    content.add(Buffer.alloc(bytes));
    content.count(bytes + framingBytes);
    expect(content.isMostlyFraming).toBe(expected);
  });
});
