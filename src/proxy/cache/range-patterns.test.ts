import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RangePatterns } from './range-patterns.ts';

const key = (7n << 64n) | 1n;
const mib = 1024 * 1024;

describe('range patterns', () => {
  test('a needle read front to back is sequential from the third range on', () => {
    const runs = fc.record({
      start: fc.nat(mib),
      lengths: fc.array(fc.integer({ min: 1, max: mib }), { minLength: 3, maxLength: 20 }),
    });
    fc.assert(
      fc.property(runs, ({ start, lengths }) => {
        const patterns = new RangePatterns();
        let at = start;
        const said = lengths.map((length) => {
          at += length;
          return patterns.isSequential(key, at - length, at);
        });
        expect(said).toEqual(lengths.map((_, i) => i >= 2));
      }),
    );
  });

  test('gaps and overlaps up to the length of a range are part of a run', () => {
    const jitters = fc.array(fc.integer({ min: -99, max: 100 }), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(jitters, (gaps) => {
        const patterns = new RangePatterns();
        let end = 1000;
        const said = gaps.map((gap) => {
          const start = end + gap;
          end = start + 100;
          return patterns.isSequential(key, start, end);
        });
        expect(said).toEqual(gaps.map((_, i) => i >= 2));
      }),
    );
  });

  test('ranges farther apart than they are long are never sequential', () => {
    const reads = fc.array(
      fc.record({ length: fc.integer({ min: 1, max: 4096 }), skip: fc.integer({ min: 1 }) }),
      { maxLength: 50 },
    );
    fc.assert(
      fc.property(reads, fc.boolean(), (jumps, forwards) => {
        const patterns = new RangePatterns();
        let end = forwards ? 0 : 2 ** 50;
        for (const { length, skip } of jumps) {
          const start = forwards ? end + length + skip : end - 2 * length - skip;
          end = start + length;
          expect(patterns.isSequential(key, start, end)).toBe(false);
        }
      }),
    );
  });

  test('one jump starts the count anew', () => {
    const patterns = new RangePatterns();
    const said = [0, 100, 200, 9000, 9100, 9200].map((start) =>
      patterns.isSequential(key, start, start + 100),
    );
    expect(said).toEqual([false, false, true, false, false, true]);
  });

  test('the same range again and again is not a run', () => {
    const patterns = new RangePatterns();
    const said = [1, 2, 3, 4].map(() => patterns.isSequential(key, 500, 600));
    expect(said).toEqual([false, false, false, false]);
  });

  test('runs of different needles do not disturb each other', () => {
    const patterns = new RangePatterns();
    const said = [0, 100, 200].flatMap((start) =>
      [1n, 2n].map((other) => patterns.isSequential(other, start, start + 100)),
    );
    expect(said).toEqual([false, false, false, false, true, true]);
  });

  test('knows large needles until too many others came', () => {
    const patterns = new RangePatterns(2);
    patterns.isSequential(1n, 0, 10);
    expect(patterns.isLarge(1n)).toBe(false);
    patterns.noteSize(1n, 64 * mib);
    patterns.noteSize(2n, 64 * mib);
    expect([1n, 2n].map((known) => patterns.isLarge(known))).toEqual([true, true]);
    patterns.noteSize(3n, 64 * mib);
    patterns.noteSize(4n, 64 * mib);
    expect([1n, 2n, 3n, 4n].map((known) => patterns.isLarge(known))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});
