import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrequencySketch } from './frequency-sketch.ts';

const volume = 3n << 64n;

describe('a frequency sketch', () => {
  test('never says less than was counted since it last aged', () => {
    const keys = fc.array(fc.bigInt({ min: 0n, max: (1n << 80n) - 1n }), { maxLength: 400 });
    fc.assert(
      fc.property(keys, (asked) => {
        const sketch = new FrequencySketch();
        const counts = new Map<bigint, number>();
        for (const key of [...asked, ...asked]) {
          sketch.increment(key);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        for (const [key, count] of counts) {
          expect(sketch.frequency(key)).toBeGreaterThanOrEqual(count);
        }
      }),
    );
  });

  test('tells as many keys apart as it has room for, whatever distinguishes them', () => {
    const keysOf: readonly ((i: number) => bigint)[] = [
      (i) => volume | BigInt(i),
      (i) => volume | (BigInt(i) << 32n),
      (i) => volume | (BigInt(i) << 20n),
      (i) => (BigInt(i) << 64n) | 7n,
    ];
    for (const keyOf of keysOf) {
      const sketch = new FrequencySketch();
      for (let i = 0; i < sketch.capacity; i += 1) sketch.increment(keyOf(i));
      let wrong = 0;
      for (let i = 0; i < sketch.capacity; i += 1) {
        if (sketch.frequency(keyOf(i)) !== 1) wrong += 1;
        if (sketch.frequency(keyOf(i + sketch.capacity)) !== 0) wrong += 1;
      }
      // Four rows with a key for every other slot: (1 - e^-0.5)^4 = 2.4 % of the keys never seen look like seen ones.
      expect(wrong / (2 * sketch.capacity)).toBeLessThan(0.03);
    }
  });

  test('keeps what it knows when it grows', () => {
    const sketch = new FrequencySketch();
    for (let i = 0; i < 500; i += 1) sketch.increment(BigInt(i % 50));
    const before = Array.from({ length: 50 }, (_, i) => sketch.frequency(BigInt(i)));
    sketch.reserve(100_000);
    expect(sketch.capacity).toBe(131_072);
    expect(Array.from({ length: 50 }, (_, i) => sketch.frequency(BigInt(i)))).toEqual(before);
    expect(Math.min(...before)).toBeGreaterThanOrEqual(10);
  });

  test('forgets by halves', () => {
    const sketch = new FrequencySketch();
    for (let i = 0; i < 200; i += 1) sketch.increment(1n);
    const counted = sketch.frequency(1n);
    for (let i = 0; i < sketch.capacity * 10; i += 1) sketch.increment(BigInt(1000 + (i % 200)));
    expect(counted).toBe(200);
    expect(sketch.frequency(1n)).toBe(100);
  });

  test('stops counting at 255', () => {
    const sketch = new FrequencySketch();
    for (let i = 0; i < 300; i += 1) sketch.increment(9n);
    expect(sketch.frequency(9n)).toBe(255);
  });
});
