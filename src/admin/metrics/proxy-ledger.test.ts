import { expect, test } from 'vitest';
import type { NativeTally } from '../../rdma/native-lane-types.ts';
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

test('what lanes answered is counted with the hits of the event loop', () => {
  const ledger = new ProxyLedger();
  const hit = { outcome: 'cache', reason: '', transport: 'none', bodyBytes: 10, durationMs: 1 };
  ledger.observe(hit as Parameters<typeof ledger.observe>[0]);
  const bucketsOf = ({ length }: Float64Array): Float64Array => new Float64Array(length).fill(1);
  const durations = { counts: bucketsOf(ledger.requestDurations.cache.counts), seconds: 2 };
  const waits = { counts: bucketsOf(ledger.validationWaits.checked.counts), seconds: 3 };
  const tally = { requests: durations.counts.length, bytes: 500, durations, waits };
  ledger.lanesAnswered(tally as unknown as NativeTally);
  const requests = 1 + durations.counts.length;
  expect(ledger.totals()).toMatchObject({
    requests,
    outcomes: { cache: requests, rdma: 0, passthrough: 0, error: 0 },
    transports: { none: requests },
    bodyBytes: 510,
  });
  expect(ledger.series.filter(({ count }) => count > 0)).toHaveLength(1);
  expect(ledger.requestDurations.cache.counts.reduce((sum, count) => sum + count)).toBe(requests);
  expect(ledger.requestDurations.cache.sum).toBeCloseTo(2.001);
  expect(ledger.validationWaits.checked.sum).toBe(3);
});

test('lanes that observed nothing change no histogram', () => {
  const ledger = new ProxyLedger();
  const none = { counts: new Float64Array(0), seconds: 0 };
  const tally = { requests: 0, bytes: 0, durations: none, waits: none };
  ledger.lanesAnswered(tally as unknown as NativeTally);
  expect(ledger.totals().requests).toBe(0);
  expect(ledger.requestDurations.cache.sum).toBe(0);
});
