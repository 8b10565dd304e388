import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  makeTrace,
  needleStore,
  plainLru,
  replay,
  type TraceOptions,
} from '../../../bench/hit-ratio-trace.ts';
import { type EvictionReason, NeedleStore } from './needle-store.ts';

const kib = 1024;
const mib = 1024 * kib;

interface Held {
  readonly name: string;
}

/** A store that writes down what leaves it. */
function storeOf(bytesMax: number): { store: NeedleStore<Held>; left: [Held, EvictionReason][] } {
  const left: [Held, EvictionReason][] = [];
  const store = new NeedleStore<Held>({
    bytesMax,
    onLeave: (value, _key, reason) => left.push([value, reason]),
  });
  return { store, left };
}

function askAndOffer(store: NeedleStore<Held>, key: bigint, bytes: number): boolean {
  store.asked(key);
  return store.get(key) !== undefined || store.offer(key, { name: `${key}` }, bytes);
}

/** Keys 0 to count - 1, each asked for three times. */
function warm(store: NeedleStore<Held>, count: number, bytes: number): void {
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < count; i += 1) askAndOffer(store, BigInt(i), bytes);
  }
}

function held(store: NeedleStore<Held>, count: number): number {
  let found = 0;
  for (let i = 0; i < count; i += 1) if (store.peek(BigInt(i)) !== undefined) found += 1;
  return found;
}

describe('a needle store', () => {
  test('finds what it was given, and gives back what it replaces, deletes and clears', () => {
    const { store, left } = storeOf(1000);
    const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    expect(store.offer(1n, a, 100)).toBe(true);
    expect(store.get(1n)).toBe(a);
    expect(store.offer(1n, b, 200)).toBe(true);
    expect(store.offer(2n, c, 10)).toBe(true);
    expect([store.peek(1n), store.bytes, store.count]).toEqual([b, 210, 2]);
    expect(store.delete(1n, 'written')).toBe(true);
    expect(store.delete(1n, 'written')).toBe(false);
    store.clear('closed');
    expect([store.bytes, store.count, store.get(2n)]).toEqual([0, 0, undefined]);
    expect(left).toEqual([
      [a, 'replaced'],
      [b, 'written'],
      [c, 'closed'],
    ]);
  });

  test('admits anything that fits when it is empty, and nothing larger than itself', () => {
    for (const bytes of [1, 20, 21, 999, 1000]) {
      const { store } = storeOf(1000);
      expect(store.offer(5n, { name: 'only' }, bytes)).toBe(true);
      expect(store.bytes).toBe(bytes);
    }
    const { store, left } = storeOf(1000);
    expect(store.offer(5n, { name: 'too large' }, 1001)).toBe(false);
    expect([store.refusals, store.count, left]).toEqual([1, 0, []]);
  });

  test('with no bytes it refuses everything', () => {
    const { store } = storeOf(0);
    expect(askAndOffer(store, 1n, 1)).toBe(false);
    expect([store.shed(1), store.refusals]).toEqual([0, 1]);
  });

  test('a refused replacement leaves what was there', () => {
    const { store, left } = storeOf(1000);
    const first = { name: 'first' };
    store.offer(1n, first, 100);
    expect(store.offer(1n, { name: 'too large' }, 2000)).toBe(false);
    expect([store.peek(1n), left]).toEqual([first, []]);
  });

  test('gives back under pressure as many bytes as asked for, the proven ones last', () => {
    const { store, left } = storeOf(100 * kib);
    warm(store, 80, kib);
    for (let i = 80; i < 100; i += 1) askAndOffer(store, BigInt(i), kib);
    expect(store.count).toBe(100);
    expect(store.shed(19.5 * kib)).toBe(20 * kib);
    expect(new Set(left.map(([, reason]) => reason))).toEqual(new Set(['pressure']));
    expect(held(store, 80)).toBe(80);
    expect(store.shed(mib)).toBe(80 * kib);
    expect([store.count, store.bytes, left.length]).toEqual([0, 0, 100]);
  });

  test('a value that grows pushes out others, never itself', () => {
    const { store, left } = storeOf(10 * kib);
    for (let i = 0; i < 10; i += 1) store.offer(BigInt(i), { name: `${i}` }, kib);
    expect(store.grow(3n, 4 * kib)).toBe(true);
    expect([store.bytes, store.count]).toEqual([10 * kib, 6]);
    expect(store.peek(3n)?.name).toBe('3');
    expect(left).toHaveLength(4);
    expect(store.grow(3n, 6 * kib)).toBe(false);
    expect(store.grow(99n, 1)).toBe(false);
    expect(store.bytes).toBe(10 * kib);
  });

  test('lists all entries while they are deleted', () => {
    const { store } = storeOf(100 * kib);
    warm(store, 90, kib);
    const seen: bigint[] = [];
    for (const [key, value] of store.entries()) {
      expect(value.name).toBe(`${key}`);
      seen.push(key);
      store.delete(key, 'gone');
      store.delete(key ^ 1n, 'gone');
    }
    expect(store.count).toBe(0);
    expect(new Set([...seen, ...seen.map((key) => key ^ 1n)]).size).toBe(90);
    expect(seen).toHaveLength(45);
  });

  test('each accepted value leaves exactly once, and the bytes never exceed their bound', () => {
    const key = fc.bigInt({ min: 0n, max: 30n });
    const bytes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1200 }));
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constant('offer' as const), key, bytes) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('get' as const), key, bytes) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('grow' as const), key, bytes) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('delete' as const), key, bytes) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('shed' as const), key, bytes) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const inside = new Map<Held, { key: bigint; bytes: number }>();
        const store = new NeedleStore<Held>({
          bytesMax: 1000,
          onLeave: (value, key) => {
            expect(inside.get(value)?.key).toBe(key);
            inside.delete(value);
          },
        });
        for (const [kind, key, bytes] of steps) {
          store.asked(key);
          if (kind === 'offer') {
            const value = { name: `${key}` };
            if (store.offer(key, value, bytes)) inside.set(value, { key, bytes });
          } else if (kind === 'get') {
            const found = store.get(key);
            expect(found === undefined || inside.get(found)?.key === key).toBe(true);
          } else if (kind === 'grow') {
            const value = store.peek(key);
            if (store.grow(key, bytes) && value !== undefined) {
              expect(store.peek(key)).toBe(value);
              (inside.get(value) as { bytes: number }).bytes += bytes;
            }
          } else if (kind === 'delete') {
            store.delete(key, 'changed');
            expect(store.peek(key)).toBeUndefined();
          } else {
            const before = store.bytes;
            const given = store.shed(bytes);
            expect(store.bytes).toBe(before - given);
            expect(given >= bytes || store.count === 0).toBe(true);
          }
          expect(store.bytes).toBeLessThanOrEqual(1000);
          expect(store.bytes).toBe([...inside.values()].reduce((sum, { bytes }) => sum + bytes, 0));
          expect(new Set([...store.entries()].map(([, value]) => value))).toEqual(
            new Set(inside.keys()),
          );
        }
        store.clear('closed');
        expect(inside.size).toBe(0);
      }),
    );
  });
});

describe('admission', () => {
  test('a needle of 64 MiB seen once does not push out a thousand small warm ones', () => {
    const { store } = storeOf(65 * mib);
    warm(store, 1000, 60 * kib);
    expect(held(store, 1000)).toBe(1000);
    expect(askAndOffer(store, 5000n, 64 * mib)).toBe(false);
    expect([held(store, 1000), store.refusals]).toEqual([1000, 1]);
  });

  test('a needle of 64 MiB gets in where it is asked for more often than what must go', () => {
    const { store } = storeOf(65 * mib);
    for (let i = 0; i < 20; i += 1) askAndOffer(store, BigInt(i), 3 * mib);
    for (let times = 0; times < 19; times += 1) store.asked(5000n);
    expect(store.offer(5000n, { name: 'hot' }, 64 * mib)).toBe(false);
    store.asked(5000n);
    store.asked(5000n);
    expect(store.offer(5000n, { name: 'hot' }, 64 * mib)).toBe(true);
    expect(store.peek(5000n)?.name).toBe('hot');
  });

  test('a scan of ten times the cache leaves the warm ones where they are', () => {
    const { store, left } = storeOf(16 * mib);
    warm(store, 900, 16 * kib);
    expect(held(store, 900)).toBe(900);
    for (let i = 0; i < 10_240; i += 1) askAndOffer(store, BigInt(100_000 + i), 16 * kib);
    expect(held(store, 900)).toBeGreaterThanOrEqual(810);
    expect(store.bytes).toBeGreaterThan(15 * mib);
    expect(left.length + store.count).toBe(900 + 10_240);
    expect(new Set(left.map(([, reason]) => reason))).toEqual(new Set(['space']));
  });

  test('a scan of small needles leaves the large warm ones where they are', () => {
    const { store } = storeOf(64 * mib);
    warm(store, 60, mib);
    for (let i = 0; i < 40_000; i += 1) askAndOffer(store, BigInt(100_000 + i), 16 * kib);
    expect(held(store, 60)).toBeGreaterThanOrEqual(54);
  });

  test('what was warm once makes room for what is warm now', () => {
    const { store } = storeOf(16 * mib);
    warm(store, 900, 16 * kib);
    for (let i = 0; i < 900 * 250; i += 1) store.asked(BigInt(i % 900));
    for (let i = 0; i < 900 * 200; i += 1) askAndOffer(store, BigInt(10_000 + (i % 900)), 16 * kib);
    // Fewer requests than for the others: only what was halved since can be overtaken.
    let now = 0;
    for (let i = 0; i < 900; i += 1) if (store.peek(BigInt(10_000 + i)) !== undefined) now += 1;
    expect(now).toBeGreaterThanOrEqual(810);
  });
});

describe('against plain LRU, on Zipf 0.9 with a tenth of the bytes', () => {
  const usual: TraceOptions = {
    objects: 5000,
    requests: 60_000,
    skew: 0.9,
    scanShare: 0,
    scanLength: 2500,
    shiftEvery: 0,
    seed: 7,
  };

  test.each([
    { name: 'no scans', options: usual, pointsMin: -1 },
    { name: 'scans', options: { ...usual, scanShare: 0.3 }, pointsMin: 8 },
    { name: 'popularity that shifts', options: { ...usual, shiftEvery: 15_000 }, pointsMin: 5 },
  ])('$name: at least $pointsMin points more hits', ({ options, pointsMin }) => {
    const trace = makeTrace(options);
    const store = replay(trace, needleStore, 0.1).hits;
    const lru = replay(trace, plainLru, 0.1).hits;
    expect(lru).toBeGreaterThan(0.2);
    expect((store - lru) * 100).toBeGreaterThanOrEqual(pointsMin);
  });
});
