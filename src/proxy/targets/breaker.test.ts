import { describe, expect, it } from 'vitest';
import { Breaker, breakerDefaults } from './breaker.ts';

function breakerAt(): { breaker: Breaker; advance: (ms: number) => void } {
  let now = 0;
  const breaker = new Breaker({ ...breakerDefaults, failuresMax: 3, now: () => now });
  return {
    breaker,
    advance: (ms) => {
      now += ms;
    },
  };
}

function fail(breaker: Breaker, times: number): void {
  for (let i = 0; i < times; i += 1) breaker.failed();
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
    breaker.failed();
    advance(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(false);
    advance(breakerDefaults.pauseMs);
    expect(breaker.admit()).toBe(true);
    for (let i = 0; i < 20; i += 1) {
      breaker.failed();
      advance(breakerDefaults.pauseMsMax);
      expect(breaker.admit()).toBe(true);
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
    breaker.failed();
    expect(breaker.opens).toBe(2);
    breaker.succeeded();
    expect(breaker.opens).toBe(2);
  });
});
