/** The admin listener over real sockets, and the tables against their pages. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type AdminOptions, type RunningAdmin, startAdmin } from '../../src/admin/admin-server.ts';
import { proxyHealth, proxyReadiness } from '../../src/admin/health.ts';
import { proxyMetricTable, targetMetricTable } from '../../src/admin/metrics/metric-table.ts';
import { createProxyMetrics, type ProxyMetrics } from '../../src/admin/metrics/proxy-metrics.ts';
import type { ProxyStatus } from '../../src/admin/status.ts';
import { reasons, troubleReasons } from '../../src/needle/reasons.ts';
import { stats, status } from '../unit/proxy-status.ts';
import { adminPlace } from './admin-place.ts';

const root = join(import.meta.dirname, '..', '..');

let running: RunningAdmin | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function start(
  changed: Partial<AdminOptions> & { status?: ProxyStatus; metrics?: never } = {},
  metrics: ProxyMetrics = createProxyMetrics('1.2.3'),
): Promise<string> {
  const now = changed.status ?? status;
  metrics.watch(() => now);
  running = await startAdmin({
    role: 'proxy',
    version: '1.2.3',
    ...adminPlace,
    health: () => proxyHealth(now, metrics.ledger.totals()),
    readiness: () => proxyReadiness(now),
    stats: () => ({ ...stats, ...now, requests: metrics.ledger.totals() }),
    metrics: () => metrics.expose(),
    ...changed,
  });
  return `http://${running.address}`;
}

describe('pages', () => {
  test('each answers GET, and HEAD with the same head', async () => {
    const base = await start();
    for (const path of ['/livez', '/readyz', '/health', '/stats', '/metrics', '/health?x=1']) {
      const got = await fetch(base + path);
      const head = await fetch(base + path, { method: 'HEAD' });
      expect([path, got.status, head.status]).toEqual([path, 200, 200]);
      expect(head.headers.get('content-type')).toBe(got.headers.get('content-type'));
      expect((await got.text()).length).toBeGreaterThan(0);
      expect(await head.text()).toBe('');
    }
  });

  test('other methods and paths are refused', async () => {
    const base = await start();
    const posted = await fetch(`${base}/health`, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
    expect((await fetch(`${base}/health/`)).status).toBe(404);
  });

  test('a session id of 64 bits goes out whole', async () => {
    const base = await start();
    const stats = (await (await fetch(`${base}/stats`)).json()) as ProxyStatus;
    expect(stats.targets[0]?.state).toMatchObject({ sessionId: '9223372036854775808' });
  });

  test('with a token only /livez and /readyz answer everybody', async () => {
    const base = await start({ token: () => 'secret' });
    const statusOf = async (path: string, authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await fetch(base + path, { headers })).status;
    };
    expect(await statusOf('/livez')).toBe(200);
    expect(await statusOf('/readyz')).toBe(200);
    expect(await statusOf('/metrics')).toBe(401);
    expect(await statusOf('/metrics', 'Bearer secre')).toBe(401);
    expect(await statusOf('/metrics', 'Bearer secret')).toBe(200);
    expect(await statusOf('/health', 'bearer secret')).toBe(200);
  });

  test('other origins read it only with enable_cors', async () => {
    const closed = await fetch(`${await start()}/health`);
    expect(closed.headers.get('access-control-allow-origin')).toBeNull();
    await running?.close();
    const base = await start({ enableCors: true });
    const open = await fetch(`${base}/health`);
    expect(open.headers.get('access-control-allow-origin')).toBe('*');
    expect((await fetch(`${base}/health`, { method: 'OPTIONS' })).status).toBe(200);
  });

  test('a fault while a page is made is a 500, not the end', async () => {
    const base = await start({
      stats: () => {
        throw new Error('broken');
      },
    });
    expect((await fetch(`${base}/stats`)).status).toBe(500);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
  });
});

describe('health', () => {
  const down = {
    ...status,
    targets: status.targets.map((target) => ({
      ...target,
      state: { kind: 'down', status: 'peer_lost', detail: 'Connection reset' } as const,
    })),
  };

  test('everything well is ok', () => {
    const { status: verdict, checks } = proxyHealth(
      { ...status, targets: status.targets.map((target) => ({ ...target, rails: undefined })) },
      createProxyMetrics('0').ledger.totals(),
    );
    expect(verdict).toBe('ok');
    expect(checks['target 10.0.0.1:18515']).toMatchObject({ status: 'ok', transport: 'tcp' });
    expect(checks['cache']?.detail).toBe('4 needles, 75.0 % hits');
  });

  test('a target that is down degrades, in the transport’s own words', async () => {
    const base = await start({ status: down });
    const answer = await fetch(`${base}/health`);
    const health = (await answer.json()) as ReturnType<typeof proxyHealth>;
    expect([answer.status, health.status]).toEqual([200, 'degraded']);
    expect(health.checks['target 10.0.0.1:18515']?.detail).toBe(
      'down: peer_lost, Connection reset',
    );
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  });

  test('where HTTP is forbidden no target means down and not ready', async () => {
    const base = await start({ status: { ...down, mode: 'require' } });
    expect((await fetch(`${base}/health`)).status).toBe(503);
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
  });

  test('a draining proxy is not ready, and alive', async () => {
    const base = await start({ status: { ...status, isDraining: true } });
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    expect((await fetch(`${base}/health`)).status).toBe(503);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
  });

  test('a forgotten lease degrades', () => {
    const arena = status.arena === undefined ? undefined : { ...status.arena, leaseLeaks: 1 };
    const { status: verdict } = proxyHealth(
      { ...status, arena },
      createProxyMetrics('0').ledger.totals(),
    );
    expect(verdict).toBe('degraded');
  });
});

describe('metrics', () => {
  const record = {
    transport: 'none',
    sessionId: 0n,
    durationMs: 2,
    bodyBytes: 10,
    request: { method: 'GET', target: '/3,01637037d6', rawHeaders: [] },
    answerHead: '',
    client: { address: '10.0.0.5', isOwn: false },
    decidedMs: 0,
  } as const;

  async function lines(metrics: ProxyMetrics): Promise<string[]> {
    return (await metrics.expose()).text.split('\n');
  }

  test('every finished request is counted once, by outcome, reason and transport', async () => {
    const metrics = createProxyMetrics('1.2.3');
    metrics.watch(() => status);
    for (let count = 0; count < 3; count += 1) {
      metrics.ledger.observe({ ...record, outcome: 'rdma', reason: '', transport: 'posix' });
    }
    metrics.ledger.observe({ ...record, outcome: 'passthrough', reason: 'method' });
    metrics.ledger.observe({ ...record, outcome: 'error', reason: 'deadline' });
    const text = await lines(metrics);
    expect(text).toContain(
      'seaweed_rdma_requests_total{outcome="rdma",reason="",transport="posix"} 3',
    );
    expect(text).toContain(
      'seaweed_rdma_requests_total{outcome="passthrough",reason="method",transport="none"} 1',
    );
    expect(text).toContain('seaweed_rdma_request_duration_seconds_count{outcome="rdma"} 3');
    expect(text).toContain('seaweed_rdma_response_bytes_total{outcome="rdma"} 30');
    const sum = text
      .filter((line) => line.startsWith('seaweed_rdma_requests_total{'))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
    expect(sum).toBe(5);
    expect(metrics.ledger.totals()).toMatchObject({
      requests: 5,
      outcomes: { cache: 0, rdma: 3, passthrough: 1, error: 1 },
      passthrough: { method: 1 },
      errors: { deadline: 1 },
      transports: { posix: 3 },
      bodyBytes: 50,
    });
  });

  test('operations, sessions, leases and arena are there under the names that others rely on', async () => {
    const metrics = createProxyMetrics('1.2.3');
    metrics.watch(() => status);
    metrics.ledger.readEnded({ status: 'not_found', durationMs: 1, bytesReceived: 4096 });
    metrics.ledger.readEnded({ status: 'deadline', durationMs: 1, bytesReceived: 0 });
    const text = await lines(metrics);
    expect(text).toEqual(
      expect.arrayContaining([
        'rdma_operations_total{type="read",result="success"} 1',
        'rdma_operations_total{type="read",result="error"} 1',
        'rdma_operation_duration_seconds_count{type="read"} 2',
        'rdma_sessions_active 1',
        'rdma_bytes_transferred_total{direction="rx"} 4096',
        'rdma_bytes_transferred_total{direction="tx"} 0',
        'seaweed_rdma_leases_outstanding 2',
        'seaweed_rdma_lease_leaks_total 0',
        'seaweed_rdma_arena_bytes{state="total"} 1000',
        'seaweed_rdma_arena_bytes{state="leased"} 100',
        'seaweed_rdma_arena_bytes{state="free"} 900',
        'seaweed_rdma_target_up{target="10.0.0.1:18515",transport="tcp"} 1',
        'seaweed_rdma_volumes{target="10.0.0.1:18515",state="unconfirmed"} 1',
        'seaweed_rdma_arena_refusals_total 7',
        'seaweed_rdma_client_connections_total{event="refused"} 1',
        'seaweed_rdma_requests_entered_total{way="lane"} 40',
        'seaweed_rdma_upstream_connections{upstream="http://10.0.0.1:8080",state="busy"} 1',
        'seaweed_rdma_upstream_requests_total{upstream="http://10.0.0.1:8080",connection="reused"} 6',
        'seaweed_rdma_breaker_opens_total{target="10.0.0.1:18515"} 2',
        'seaweed_rdma_breaker_state{target="10.0.0.1:18515",state="closed"} 1',
        'seaweed_rdma_breaker_state{target="10.0.0.1:18515",state="open"} 0',
        'seaweed_rdma_sessions_total{target="10.0.0.1:18515",event="failed"} 4',
        'seaweed_rdma_fetches_total{target="10.0.0.1:18515",status="deadline"} 1',
        'seaweed_rdma_target_ping_seconds{target="10.0.0.1:18515"} 0.0000125',
        'seaweed_rdma_log_lines_suppressed_total 8',
      ]),
    );
  });

  test('the exposition names each metric once and is read line by line', async () => {
    const metrics = createProxyMetrics('1.2.3');
    metrics.watch(() => status);
    metrics.ledger.observe({ ...record, outcome: 'rdma', reason: '', transport: 'posix' });
    await metrics.expose();
    const text = await lines(metrics);
    const types = text
      .filter((line) => line.startsWith('# TYPE '))
      .map((line) => line.split(' ')[2]);
    expect(new Set(types).size).toBe(types.length);
    expect(types).toEqual(expect.arrayContaining(proxyMetricTable.map(({ name }) => name)));
    const sample = /^[a-zA-Z_:][\w:]*(\{(\w+="[^"]*",?)*\})? (-?[\d.e+-]+|Na[Nn]|[+-]Inf)$/;
    const odd = text.filter((line) => line !== '' && !line.startsWith('# ') && !sample.test(line));
    expect(odd).toEqual([]);
    const samples = text
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
    const repeated = samples.filter((name, at) => name !== '' && samples.indexOf(name) !== at);
    expect(repeated).toEqual([]);
  });

  test('two proxies in one process do not share a registry', async () => {
    const first = createProxyMetrics('1');
    const second = createProxyMetrics('1');
    first.ledger.observe({ ...record, outcome: 'cache', reason: '' });
    expect((await lines(second)).some((line) => line.includes('outcome="cache",reason=""'))).toBe(
      false,
    );
  });
});

describe('the pages of the documentation', () => {
  test('reasons.md explains each reason once, in the order of the code', () => {
    const page = readFileSync(join(root, 'docs', 'reasons.md'), 'utf8');
    const explained = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, reason]) => reason);
    expect(explained).toEqual([...reasons]);
    const trouble = [...page.matchAll(/^\| `([a-z-]+)` \| trouble \|/gm)].map(([, name]) => name);
    expect(new Set(trouble)).toEqual(troubleReasons);
  });

  test('metrics.md names every metric with its type and labels', () => {
    const page = readFileSync(join(root, 'docs', 'metrics.md'), 'utf8');
    const [proxyPart = '', targetPart = ''] = page.split('\n## Target\n');
    const tables = [
      [proxyPart, proxyMetricTable],
      [targetPart, targetMetricTable],
    ] as const;
    for (const [part, table] of tables) {
      const written = [...part.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*)\|/gm)].map(
        ([, name, type, labels = '']) => `${name} ${type} ${labels.replace(/[` ]/g, '')}`,
      );
      const rows = table.map(({ name, type, labels }) => `${name} ${type} ${labels.join(',')}`);
      expect(written.toSorted()).toEqual(rows.toSorted());
    }
  });

  test('the configuration page names only keys that exist', () => {
    const page = readFileSync(join(root, 'docs', 'configuration.md'), 'utf8');
    const shipped = ['proxy', 'target'].map((role) =>
      readFileSync(join(root, 'config', `${role}.toml`), 'utf8'),
    );
    const named = [...page.matchAll(/`([a-z]+)\.([a-z_]+)`/g)].map(([, , key = '']) => key);
    const known = [...shipped.join('\n').matchAll(/^(?:# )?([a-z_]+) = /gm)].map(([, key]) => key);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((key) => !known.includes(key) && key !== 'port')).toEqual([]);
  });
});
