import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../test/history/needle-set.ts';
import { type RestartReport, restartTarget } from '../../test/unit/restarted-target.ts';
import { pauseMsMax, ReconnectPause } from './reconnect-pause.ts';

const storm = { proxies: 1_000, connectTimeoutMs: 1_000, abandonedCost: 0.2, backAtMs: 10_000 };

/** @param random of all proxies together */
function returnOf(handshakesPerSecond: number, random: () => number): RestartReport {
  const pauses = (): (() => number) => {
    const pause = new ReconnectPause(random);
    return () => pause.next();
  };
  return restartTarget({ ...storm, handshakesPerSecond, pauses });
}

describe('the pauses before reconnecting', () => {
  it.each([1, 2, 3, 4, 5])(
    'spread a thousand proxies whose target is away for 10 s and takes 200 handshakes a second (seed %i)',
    (seed) => {
      const report = returnOf(200, seededRandom(seed));
      expect(report.attemptsPerSecondAway).toBeLessThan(450);
      expect(report.peakPer100Ms).toBeLessThan(100);
      expect(report.mostConnectedMs).toBeLessThan(8_000);
      expect(report.allConnectedMs).toBeLessThan(9_000);
      expect(report.attempts).toBeLessThan(2 * storm.proxies);
    },
  );

  it('connect all of them to a target that takes 100 a second, which many wait for in vain', () => {
    expect(returnOf(100, seededRandom(1)).allConnectedMs).toBeLessThan(30_000);
  });

  it('without jitter would bring all of them within 100 ms, again and again', () => {
    const { peakPer100Ms, allConnectedMs } = returnOf(200, () => 1);
    expect(peakPer100Ms).toBe(storm.proxies);
    expect(allConnectedMs).toBeGreaterThan(20_000);
  });

  it('double, and leave time for an attempt in vain and a handshake within 5 s', () => {
    const pause = new ReconnectPause(() => 1);
    const pausesMs = Array.from({ length: 8 }, () => pause.next());
    expect(pausesMs).toEqual([100, 200, 400, 800, 1_600, 3_200, 3_500, 3_500]);
    expect(pauseMsMax + storm.connectTimeoutMs).toBeLessThan(5_000);
    pause.reset();
    expect(pause.next()).toBe(100);
  });

  it('are long at once where only an operator can help', () => {
    expect(new ReconnectPause(() => 1).next(true)).toBe(pauseMsMax);
  });
});
