import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Breaker, breakerDefaults } from './breaker.ts';
import { type HedgeOptions, Hedging, hedgesAtOnceMax, samplesMin } from './hedging.ts';

const options: HedgeOptions = { afterMsMin: 10, afterMsMax: 50, percentMax: 5 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class Rig {
  readonly pings: ((isAlive: boolean) => void)[] = [];
  readonly breaker: Breaker = new Breaker({
    ...breakerDefaults,
    isAlive: () => new Promise((resolve) => void this.pings.push(resolve)),
  });
  readonly hedging: Hedging;
  hedged = 0;

  constructor(change: Partial<HedgeOptions> = {}) {
    this.hedging = new Hedging({ ...options, ...change }, this.breaker);
  }

  /** A read that waits; undefined of `ms`: for ever. */
  wait(ms?: number): void {
    const read = {
      hedge: () => {
        this.hedged += 1;
        return true;
      },
    };
    this.hedging.began(read);
    if (ms !== undefined) setTimeout(() => this.hedging.ended(read, undefined), ms);
  }

  times(ms: number, count: number = samplesMin): void {
    for (let i = 0; i < count; i += 1) this.hedging.took(ms);
  }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('a read that waits', () => {
  it('is hedged after the longest time while too few reads were timed', async () => {
    const rig = new Rig();
    rig.times(20, samplesMin - 1);
    rig.wait();
    await pass(48);
    expect(rig.hedged).toBe(0);
    await pass(4);
    expect(rig.hedged).toBe(1);
  });

  it.each([
    ['the 99th percentile', 20, 20],
    ['the shortest time, where reads take microseconds', 0.05, 10],
    ['the longest time, where reads are slow', 900, 50],
  ])('is hedged after %s', async (_, tookMs, afterMs) => {
    const rig = new Rig();
    rig.times(tookMs);
    expect(rig.hedging.afterMs).toBe(afterMs);
    rig.wait();
    await pass(afterMs - 2);
    expect(rig.hedged).toBe(0);
    await pass(4);
    expect(rig.hedged).toBe(1);
    expect(rig.hedging.counts.late).toBe(1);
  });

  it('is not hedged if it is answered before, nor twice', async () => {
    const rig = new Rig();
    rig.wait(30);
    await pass(200);
    expect(rig.hedged).toBe(0);
    rig.wait();
    await pass(1_000);
    expect(rig.hedged).toBe(1);
  });

  it('is not hedged without delay when others have waited longer', async () => {
    const rig = new Rig();
    rig.wait();
    await pass(30);
    rig.wait();
    await pass(22);
    expect(rig.hedged).toBe(1);
    await pass(30);
    expect(rig.hedged).toBe(2);
  });
});

describe('the budget', () => {
  it('hedges five reads in a hundred of a target that is slow for all of them', async () => {
    const rig = new Rig();
    const count = 10_000;
    for (let i = 0; i < count; i += 1) {
      rig.wait(80);
      await pass(1);
    }
    await pass(100);
    expect(rig.hedged).toBeGreaterThan(count * 0.04);
    expect(rig.hedged).toBeLessThanOrEqual(count * 0.05 + hedgesAtOnceMax);
    const { late, refused } = rig.hedging.counts;
    expect([late, late + refused]).toEqual([rig.hedged, count]);
  });

  it('saves up no more than it may spend at once', async () => {
    const rig = new Rig();
    for (let i = 0; i < 10_000; i += 1) rig.wait(1);
    await pass(2);
    for (let i = 0; i < 1_000; i += 1) rig.wait();
    await pass(60);
    expect(rig.hedged).toBe(hedgesAtOnceMax);
  });
});

describe('a target that gives no sign of life', () => {
  it('has every read hedged that waits for it, whatever the budget', async () => {
    const rig = new Rig();
    for (let i = 0; i < 1_000; i += 1) rig.wait();
    await pass(45);
    for (let i = 0; i < 100; i += 1) rig.wait();
    await pass(10);
    expect(rig.hedged).toBeLessThanOrEqual(hedgesAtOnceMax);
    expect(rig.pings).toHaveLength(1);
    rig.pings[0]?.(false);
    await pass(0);
    expect(rig.hedged).toBe(1_100);
    expect(rig.hedging.counts.silent).toBe(1_100 - rig.hedging.counts.late);
    expect(rig.breaker.admit()).toBe(false);
  });
});
