import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { stats as proxyStats } from '../../../test/unit/proxy-status.ts';
import type { TrafficStats } from '../admin/clients.ts';
import { countText, secondsText, uptimeText } from '../admin/quantities.ts';
import type { ProxyStats } from '../admin/role-stats.ts';
import { frameOf, ratesOf } from './frame.ts';
import { type Buckets, bucketsOf, type Looked, quantile } from './sample.ts';

const none: Buckets = [];

function stats(changes: Partial<ProxyStats> & { cached: number; failed?: number }): ProxyStats {
  const { cached, failed = 0, ...others } = changes;
  return {
    role: 'proxy',
    version: '1.2.3',
    uptimeSeconds: 100,
    ...proxyStats,
    clients: undefined,
    cache: { ...proxyStats.cache, hits: cached, misses: 0, validatedHits: cached },
    requests: {
      requests: cached + failed,
      outcomes: { cache: cached, rdma: 0, passthrough: 0, error: failed },
      passthrough: {},
      errors: failed === 0 ? {} : { overload: failed },
      transports: {},
      bodyBytes: 4096 * cached,
    },
    ...others,
  };
}

function seen(atMs: number, of: ProxyStats, cache: Buckets = none): Looked {
  const latency = { cache, rdma: none, passthrough: none, error: none };
  return { kind: 'seen', admin: 'a:1', look: { atMs, stats: of, latency } };
}

test('a quantile lies between the bounds of its bucket, of what came between two looks', () => {
  const before: Buckets = [
    [0.001, 100],
    [0.01, 100],
    [Number.POSITIVE_INFINITY, 100],
  ];
  const after: Buckets = [
    [0.001, 150],
    [0.01, 200],
    [Number.POSITIVE_INFINITY, 200],
  ];
  expect(quantile(0.5, before, after)).toBeCloseTo(0.001);
  expect(quantile(0.75, before, after)).toBeCloseTo(0.0055);
  expect(quantile(0.5, after, after)).toBeUndefined();
});

test('buckets are read from the text format, sorted by their bound', () => {
  const text = [
    '# TYPE seaweed_rdma_request_duration_seconds histogram',
    'seaweed_rdma_request_duration_seconds_bucket{le="+Inf",outcome="cache"} 9',
    'seaweed_rdma_request_duration_seconds_bucket{le="0.001",outcome="cache"} 4',
    'seaweed_rdma_request_duration_seconds_bucket{le="0.001",outcome="rdma"} 7',
  ].join('\n');
  expect(bucketsOf(text, 'cache')).toEqual([
    [0.001, 4],
    [Number.POSITIVE_INFINITY, 9],
  ]);
});

test('rates are of the time between two looks', () => {
  const before = seen(0, stats({ cached: 100 }));
  const after = seen(2000, stats({ cached: 300, failed: 10, uptimeSeconds: 102 }));
  expect(ratesOf(before, after)).toMatchObject({
    requestsPerSecond: 105,
    bytesPerSecond: 409_600,
    outcomesPerSecond: { cache: 100, error: 5 },
    reasonsPerSecond: { 'error: overload': 5 },
    hitRatio: 1,
  });
});

test('a role that was started anew has no rates for one look, and no negative ones ever', () => {
  const before = seen(0, stats({ cached: 100 }));
  const after = seen(1000, stats({ cached: 3, uptimeSeconds: 1 }));
  expect(ratesOf(before, after)).toBeUndefined();
  const lines = frameOf(before, after, { columns: 100, isColoured: false });
  expect(lines.join('\n')).toContain('waiting for the next look');
  // Younger than the time between the looks, and older than the one before it was.
  const young = seen(0, stats({ cached: 100, uptimeSeconds: 3 }));
  const younger = seen(10_000, stats({ cached: 1, uptimeSeconds: 5 }));
  expect(ratesOf(young, younger)).toBeUndefined();
});

test('a frame has no line that is longer than the screen, and colours only where they are wanted', () => {
  const before = seen(0, stats({ cached: 1 }), [[1, 0]]);
  const after = seen(1000, stats({ cached: 2, failed: 3, uptimeSeconds: 101 }), [[1, 1]]);
  const plain = frameOf(before, after, { columns: 40, isColoured: false });
  expect(Math.max(...plain.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(plain.join('')).not.toContain('\u001b');
  const coloured = frameOf(before, after, { columns: 40, isColoured: true });
  expect(coloured.join('')).toContain('\u001b');
  const unseen: Looked = { kind: 'unseen', admin: 'b:2', detail: 'x'.repeat(100) };
  coloured.push(...frameOf(undefined, unseen, { columns: 40, isColoured: true }));
  const widths = coloured.map((line) => stripVTControlCharacters(line).length);
  expect(Math.max(...widths)).toBeLessThanOrEqual(40);
});

describe('clients', () => {
  const came = { requests: 3, ownRequests: 0, lastRequestSecondsAgo: 2, tracked: 1 };
  const row = {
    perSecond: 7.5,
    requests: 200,
    outcomes: { cache: 100, rdma: 50, passthrough: 48, error: 2 },
    passthrough: { query: 48 },
    errors: { deadline: 2 },
  };
  const traffic: TrafficStats = {
    clients: [{ ...row, address: '10.0.0.5', userAgent: 'Go-http-client/1.1' }],
    volumes: [{ ...row, volumeId: 3 }],
    needles: [
      { ...row, volumeId: 3, needleId: '411' },
      { ...row, perSecond: 0, volumeId: 4, needleId: '1' },
    ],
    others: { clients: row },
  };
  const textOf = (of: ProxyStats): string => {
    const { look } = seen(0, of) as Extract<Looked, { kind: 'seen' }>;
    const looked: Looked = { kind: 'seen', admin: 'a:1', look: { ...look, traffic } };
    return frameOf(undefined, looked, { columns: 200, isColoured: false }).join('\n');
  };

  test('are shown with how they were answered, and the volumes and needles asked for now', () => {
    const text = textOf(stats({ cached: 0, clients: came }));
    expect(text).toMatch(
      /10\.0\.0\.5 Go-http-client\/1\.1 +7\.5 +200 {2}75\.0 % here, query 48, error deadline 2/,
    );
    expect(text).toMatch(/volumes +3 7\.5\/s\n {2}needles +3,019b… 7\.5\/s$/);
  });

  test('that never came are missed, with the page that says how they come', () => {
    const { clients } = proxyStats;
    const text = textOf(stats({ cached: 9, clients }));
    expect(text).toContain(
      'no client request since the start, 1 min ago: docs/deploy.md#how-clients-come',
    );
    expect(text).not.toContain('10.0.0.5');
    const series = { path: 'read', outcome: 'cache', reason: '' } as const;
    const sidecar = {
      address: '127.0.0.1:8082',
      isDraining: false,
      connections: 1,
      connectionsRefused: 0,
      connectionsEvicted: 0,
      requestsInFlight: 0,
      bytesInFlight: 0,
      requests: [
        { ...series, count: 2 },
        { ...series, count: 5 },
      ],
      needleBytes: { cache: 0, rdma: 0, http: 0 },
      temp: undefined,
    };
    expect(textOf(stats({ cached: 9, clients, sidecar }))).toContain(
      '(the sidecar listener had 7)',
    );
    expect(textOf(stats({ cached: 9 }))).not.toContain('no client request');
  });
});

test('who does not answer is shown with the reason, and a lost target too', () => {
  const unseen: Looked = { kind: 'unseen', admin: 'b:2', detail: 'nothing listens there' };
  expect(frameOf(undefined, unseen, { columns: 80, isColoured: false })).toEqual([
    'b:2  nothing listens there',
  ]);
  const [target] = stats({ cached: 0 }).targets;
  const lost = { ...target, state: { kind: 'down', detail: 'peer lost' }, breaker: 'open' };
  const look = seen(0, stats({ cached: 0, targets: [lost as typeof target & object] }));
  const text = frameOf(undefined, look, { columns: 200, isColoured: false }).join('\n');
  expect(text).toContain('down peer lost, breaker open');
});

test('quantities are short', () => {
  expect([countText(0.25), countText(999), countText(12_345), countText(3e6)]).toEqual([
    '0.3',
    '999',
    '12.3k',
    '3.0M',
  ]);
  expect([secondsText(0.0000251), secondsText(0.0123), secondsText(2)]).toEqual([
    '25 µs',
    '12.3 ms',
    '2.00 s',
  ]);
  expect([uptimeText(59), uptimeText(3700), uptimeText(300_000)]).toEqual([
    '59 s',
    '1 h 1 min',
    '3 d',
  ]);
});
