import { expect, test } from 'vitest';
import { Durations, ProxyLedger } from './proxy-ledger.ts';

test('values fall into their buckets, a bound itself into the lower one', () => {
  const durations = new Durations([0.1, 1]);
  for (const ms of [50, 100, 500, 1_000, 2_000]) durations.observe(ms);
  expect([...durations.counts]).toEqual([2, 2, 1]);
  expect(durations.sum).toBeCloseTo(3.65);
});

test('a read whose answer names a state of the needle or volume is a success', () => {
  const ledger = new ProxyLedger();
  for (const status of ['ok', 'not_found', 'volume_unconfirmed', 'deadline', 'corrupt'] as const) {
    ledger.readEnded({ status, durationMs: 1, bytesReceived: status === 'ok' ? 10 : 0 });
  }
  expect(ledger.operations).toEqual({ successes: 3, errors: 2, bytesReceived: 10 });
  expect(ledger.operationDurations.read.counts.reduce((sum, count) => sum + count)).toBe(5);
});
