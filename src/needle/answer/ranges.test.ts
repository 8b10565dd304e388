import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentRange, planRanges } from './ranges.ts';

function spans(header: string, totalBytes: number): string {
  const plan = planRanges(header, totalBytes);
  if (plan.kind === 'odd') return 'odd';
  const ranges = plan.kind === 'single' ? [plan.range] : plan.ranges;
  return `${plan.kind} ${ranges.map(({ start, end }) => `${start}..${end}`).join(' ')}`;
}

describe('planRanges on 10 bytes', () => {
  it.each([
    ['bytes=0-3', 'single 0..4'],
    ['bytes=3-', 'single 3..10'],
    ['bytes=-3', 'single 7..10'],
    ['bytes=-99', 'single 0..10'],
    ['bytes=-0', 'single 10..10'],
    ['bytes=10-', 'single 10..10'],
    ['bytes=10-20', 'single 10..10'],
    ['bytes=0-99', 'single 0..10'],
    ['bytes=0-9223372036854775807', 'single 0..10'],
    ['bytes=+1-+3', 'single 1..4'],
    ['bytes=001-3', 'single 1..4'],
    ['bytes= 1 - 3 ', 'single 1..4'],
    ['bytes=1-3,', 'single 1..4'],
    ['bytes=,,1-3', 'single 1..4'],
    ['bytes=0-1,5-6', 'multiple 0..2 5..7'],
    ['bytes=5-6, 0-1', 'multiple 5..7 0..2'],
    ['bytes=-0,0-1', 'multiple 10..10 0..2'],
  ])('%s is %s', (header, expected) => {
    expect(spans(header, 10)).toBe(expected);
  });

  it.each([
    ['416', 'bytes=11-'],
    ['416', 'bytes=5-4'],
    ['416', 'bytes=a-b'],
    ['416', 'bytes=5'],
    ['416', 'bytes=-'],
    ['416', 'bytes=0-9223372036854775808'],
    ['416', 'Bytes=0-1'],
    ['416', 'bytes =0-1'],
    ['416', 'bytes=1--3'],
    ['an empty 200', 'bytes='],
    ['an empty 200', 'bytes=,'],
    ['an empty 200', 'bytes=0-9,0-0'],
    ['a negative length', 'bytes=--5'],
    ['Unicode blanks', 'bytes=0-1\xa0'],
    ['too many parts', `bytes=${'0-0,'.repeat(2000)}`],
  ])('leaves %s to the volume server', (_, header) => {
    expect(spans(header, 10)).toBe('odd');
  });

  it('never plans bytes that are not there', () => {
    const number = fc.oneof(fc.integer({ min: -20, max: 40 }).map(String), fc.constant(''));
    const part = fc.tuple(number, number).map(([a, b]) => `${a}-${b}`);
    const headers = fc.array(part, { maxLength: 4 }).map((parts) => `bytes=${parts.join(',')}`);
    fc.assert(
      fc.property(headers, fc.nat({ max: 30 }), (header, totalBytes) => {
        const plan = planRanges(header, totalBytes);
        if (plan.kind === 'odd') return;
        const ranges = plan.kind === 'single' ? [plan.range] : plan.ranges;
        for (const { start, end } of ranges) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThanOrEqual(start);
          expect(end).toBeLessThanOrEqual(totalBytes);
        }
      }),
    );
  });
});

describe('contentRange', () => {
  it('prints an empty range with its last byte before its first', () => {
    expect(contentRange({ start: 10, end: 10 }, 10)).toBe('bytes 10-9/10');
    expect(contentRange({ start: 0, end: 0 }, 0)).toBe('bytes 0--1/0');
    expect(contentRange({ start: 2, end: 5 }, 10)).toBe('bytes 2-4/10');
  });
});
