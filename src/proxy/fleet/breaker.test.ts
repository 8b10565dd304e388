import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Breaker, type BreakerChange, breakerDefaults } from './breaker.ts';

/** Pauses as long as they can be. */
const longestPauses = { random: () => 1 };

function breakerAt(): { breaker: Breaker; advance: (ms: number) => void } {
  let now = 0;
  const breaker = new Breaker({
    ...breakerDefaults,
    ...longestPauses,
    failuresMax: 3,
    now: () => now,
  });
  return {
    breaker,
    advance: (ms) => {
      now += ms;
    },
  };
}

function fail(breaker: Breaker, times: number): void {
  for (let i = 0; i < times; i += 1) breaker.failed('io_error');
}

describe('a breaker', () => {
  it('stays closed while failures do not come in a row', () => {
    const { breaker } = breakerAt();
    fail(breaker, 2);
    breaker.succeeded();
    fail(breaker, 2);
    expect(breaker.state).toBe('closed');
    expect(breaker.admit()).toBe(true);
  });

  it('opens at the bound and lets one probe through after the pause', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 3);
    expect(breaker.admit()).toBe(false);
    advance(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(true);
    expect(breaker.admit()).toBe(false);
  });

  it('closes when the probe succeeds', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 3);
    advance(breakerDefaults.pauseMs);
    breaker.admit();
    breaker.succeeded();
    expect(breaker.state).toBe('closed');
    expect(breaker.admit()).toBe(true);
  });

  it('doubles the pause when the probe fails, up to the bound', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 3);
    advance(breakerDefaults.pauseMs);
    breaker.admit();
    breaker.failed('io_error');
    advance(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(false);
    advance(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(true);
    for (let i = 0; i < 20; i += 1) {
      breaker.failed('io_error');
      advance(breakerDefaults.pauseMsMax);
      expect(breaker.admit()).toBe(true);
    }
  });

  it('draws each pause from its upper half, so that many breakers do not probe in step', () => {
    const draws = [0, 0.25, 0.5, 0.75];
    const pausesMs = draws.map((drawn) => {
      let now = 0;
      const breaker = new Breaker({ ...breakerDefaults, random: () => drawn, now: () => now });
      fail(breaker, breakerDefaults.failuresMax);
      while (!breaker.admit()) now += 1;
      return now;
    });
    expect(pausesMs).toEqual(draws.map((drawn) => Math.ceil(500 * (0.5 + drawn / 2))));
  });

  it('lets a request probe within 5 s, however often it has failed', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 3);
    for (let i = 0; i < 20; i += 1) {
      let waitedMs = 0;
      for (; !breaker.admit(); waitedMs += 100) advance(100);
      expect(waitedMs).toBeLessThanOrEqual(5_000 - breakerDefaults.signOfLifeMs);
      breaker.failed('io_error');
    }
  });

  it('replaces a probe that was never reported back', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 3);
    advance(breakerDefaults.pauseMs);
    breaker.admit();
    advance(breakerDefaults.pauseMsMax);
    expect(breaker.admit()).toBe(true);
  });

  it('counts how often it opened, failed probes included', () => {
    const { breaker, advance } = breakerAt();
    fail(breaker, 5);
    expect(breaker.opens).toBe(1);
    advance(breakerDefaults.pauseMs);
    breaker.admit();
    breaker.failed('io_error');
    expect(breaker.opens).toBe(2);
    breaker.succeeded();
    expect(breaker.opens).toBe(2);
  });
});

describe('a breaker that may ask for a sign of life', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function askingBreaker(): {
    breaker: Breaker;
    pings: ((isAlive: boolean) => void)[];
    changes: BreakerChange[];
    answer: (isAlive: boolean) => Promise<void>;
  } {
    const pings: ((isAlive: boolean) => void)[] = [];
    const changes: BreakerChange[] = [];
    const breaker = new Breaker({
      ...breakerDefaults,
      ...longestPauses,
      isAlive: () => new Promise((resolve) => void pings.push(resolve)),
    });
    breaker.onChange((change) => void changes.push(change));
    const answer = async (isAlive: boolean): Promise<void> => {
      pings.shift()?.(isAlive);
      await vi.advanceTimersByTimeAsync(0);
    };
    return { breaker, pings, changes, answer };
  }

  it('asks after the first deadline, lets nothing go meanwhile, and goes on if the target answers', async () => {
    const { breaker, pings, changes, answer } = askingBreaker();
    breaker.failed('deadline');
    breaker.failed('deadline');
    expect(pings).toHaveLength(1);
    expect(breaker.admit()).toBe(false);
    await answer(true);
    expect(breaker.admit()).toBe(true);
    expect(changes).toEqual([]);
  });

  it('does not ask after other failures', () => {
    const { breaker, pings } = askingBreaker();
    breaker.failed('io_error');
    expect(pings).toHaveLength(0);
    expect(breaker.admit()).toBe(true);
  });

  it('opens at once if the target is silent, and probes it by pings alone', async () => {
    const { breaker, pings, changes, answer } = askingBreaker();
    breaker.failed('deadline');
    await answer(false);
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(breakerDefaults.pauseMs);
    expect(breaker.state).toBe('half-open');
    expect(breaker.admit()).toBe(false);
    await answer(false);
    await vi.advanceTimersByTimeAsync(breakerDefaults.pauseMs);
    expect(pings).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(breakerDefaults.pauseMs);
    await answer(true);
    expect(breaker.admit()).toBe(true);
    expect(changes.map(({ state, failures, reason }) => [state, failures, reason])).toEqual([
      ['open', 1, 'deadline'],
      ['half-open', 1, 'deadline'],
      ['open', 1, 'deadline'],
      ['half-open', 1, 'deadline'],
      ['closed', 1, 'deadline'],
    ]);
  });

  it('probes with a request where the target answers pings and fails all the same', async () => {
    const { breaker, answer } = askingBreaker();
    for (let i = 0; i < breakerDefaults.failuresMax; i += 1) breaker.failed('deadline');
    await answer(true);
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(true);
    expect(breaker.state).toBe('half-open');
  });

  it('asks for a sign of life in doubt, and lets requests go meanwhile', async () => {
    const { breaker, pings, changes, answer } = askingBreaker();
    breaker.doubt();
    breaker.doubt();
    expect(pings).toHaveLength(1);
    expect(breaker.admit()).toBe(true);
    await answer(true);
    expect(changes).toEqual([]);
    breaker.doubt();
    await answer(false);
    expect(changes.map(({ state, reason }) => [state, reason])).toEqual([['open', 'late']]);
  });

  it('stays closed in doubt if a request succeeds before the sign of life is due', async () => {
    const { breaker, answer } = askingBreaker();
    breaker.doubt();
    breaker.ended('ok');
    await answer(false);
    expect(breaker.state).toBe('closed');
    expect(breaker.admit()).toBe(true);
  });

  it('lets nothing go after a deadline that comes while it is in doubt', async () => {
    const { breaker, pings, answer } = askingBreaker();
    breaker.doubt();
    breaker.failed('deadline');
    expect(pings).toHaveLength(1);
    expect(breaker.admit()).toBe(false);
    await answer(true);
    expect(breaker.admit()).toBe(true);
  });

  it('is closed by a new session', async () => {
    const { breaker, answer } = askingBreaker();
    breaker.failed('deadline');
    await answer(false);
    breaker.succeeded();
    expect(breaker.admit()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('asks nothing any more once it is closed down', async () => {
    const { breaker, pings, answer } = askingBreaker();
    breaker.failed('deadline');
    await answer(false);
    breaker.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pings).toHaveLength(0);
  });
});
