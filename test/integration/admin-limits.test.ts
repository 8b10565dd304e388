/** The bounds of the admin API: each has a name, and something happens at it. */

import { once } from 'node:events';
import {
  createServer,
  get,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AccessHooks } from '../../src/admin/admin-access.ts';
import { type RunningAdmin, requestBytesMax, startAdmin } from '../../src/admin/admin-server.ts';
import { type BenchLimits, type BenchPlan, runBench } from '../../src/admin/api/bench-run.ts';
import { evictedMax } from '../../src/admin/api/cache-routes.ts';
import { OwnListener } from '../../src/admin/api/own-listener.ts';
import {
  addReadRoutes,
  type ReadLimits,
  readLimits,
  warmedFidsMax,
} from '../../src/admin/api/read-routes.ts';
import { JoinedBody } from '../../src/admin/joined-body.ts';
import { createProxyMetrics } from '../../src/admin/metrics/proxy-metrics.ts';
import { FallbackRing, fallbacksMax } from '../../src/admin/traffic/fallback-ring.ts';
import { TrafficWatch } from '../../src/admin/traffic/traffic-watch.ts';
import type { RequestRecord } from '../../src/needle/request-record.ts';
import { NeedleCache } from '../../src/proxy/cache/needle-cache.ts';
import { stats } from '../unit/proxy-status.ts';
import { adminPlace } from './admin-place.ts';
import { ask, parsed } from './admin-stage.ts';

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** In the place of the proxy's HTTP listener. */
async function scripted(answer: RequestListener): Promise<OwnListener> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const listener = new OwnListener(() => connect(port, '127.0.0.1'));
  ends.push(() => {
    listener.close();
    server.closeAllConnections();
    server.close();
  });
  return listener;
}

const pass = async (): Promise<undefined> => undefined;
const everybody: AccessHooks = { page: pass, api: pass, action: pass };

async function readApp(listener: OwnListener, limits: Partial<ReadLimits>): Promise<string> {
  const app: FastifyInstance = fastify();
  addReadRoutes(app, listener, everybody, { ...readLimits, ...limits });
  ends.push(() => app.close());
  return app.listen({ port: 0, host: '127.0.0.1' });
}

const someFid = '3,015eedc0de';

describe('a read', () => {
  test('that is longer than readBytesMax is refused, with what to do', async () => {
    const listener = await scripted((_request, response) => {
      response.writeHead(200, { 'content-length': readLimits.readBytesMax + 1 }).write('begin');
    });
    const base = await readApp(listener, {});
    const answer = await ask(`${base}/api/read?fid=${someFid}`);
    expect([answer.status, parsed<{ error: string }>(answer).error]).toEqual([
      413,
      expect.stringContaining('Range'),
    ]);
  });

  test('that takes longer than readMsMax is cut', async () => {
    const listener = await scripted((_request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('begin');
    });
    const base = await readApp(listener, { readMsMax: 100 });
    await expect(ask(`${base}/api/read?fid=${someFid}`)).rejects.toThrow(/aborted|hang up/);
  });

  test('beyond readsMax at once is refused until another has ended', async () => {
    let waiting: (() => void) | undefined;
    const listener = await scripted((_request, response) => {
      waiting = () => response.end('done');
    });
    const base = await readApp(listener, { readsMax: 1 });
    const first = ask(`${base}/api/read?fid=${someFid}`);
    await expect.poll(() => waiting !== undefined).toBe(true);
    expect((await ask(`${base}/api/read?fid=${someFid}`)).status).toBe(429);
    waiting?.();
    expect((await first).status).toBe(200);
    const second = ask(`${base}/api/read?fid=${someFid}`);
    waiting = undefined;
    await expect.poll(() => waiting !== undefined).toBe(true);
    (waiting as (() => void) | undefined)?.();
    expect((await second).status).toBe(200);
  });

  test('is given up when its client goes away', async () => {
    let isGivenUp = false;
    const listener = await scripted((request) => {
      request.on('close', () => {
        isGivenUp = true;
      });
    });
    const base = await readApp(listener, {});
    const asked = get(`${base}/api/read?fid=${someFid}`).on('error', () => undefined);
    setTimeout(() => asked.destroy(), 50);
    await expect.poll(() => isGivenUp).toBe(true);
  });
});

describe('warming', () => {
  test('ends after warmMsMax, and says of each needle that it was not read', async () => {
    const listener = await scripted(() => undefined);
    const base = await readApp(listener, { warmMsMax: 100 });
    const answer = await ask(`${base}/api/cache/warm`, {}, { fids: [someFid, someFid] });
    const { warmed, results } = parsed<{ warmed: number; results: { outcome: string }[] }>(answer);
    expect([warmed, results.map(({ outcome }) => outcome)]).toEqual([0, ['error', 'error']]);
  });

  test('takes no more than warmedFidsMax', async () => {
    const base = await readApp(await scripted(() => undefined), {});
    const fids = Array.from({ length: warmedFidsMax + 1 }, () => someFid);
    expect((await ask(`${base}/api/cache/warm`, {}, { fids })).status).toBe(400);
  });
});

describe('a benchmark', () => {
  async function run(plan: Partial<BenchPlan>, limits: Partial<BenchLimits>): Promise<unknown> {
    const listener = await scripted((_request, response) => {
      response.writeHead(200, { 'x-rdma-source': 'cache' }).end('0123456789');
    });
    const signal = new AbortController().signal;
    const whole = { fids: [someFid], iterations: 100_000, size: 0, depth: 2, headers: {}, signal };
    return runBench(
      listener,
      { ...whole, ...plan },
      { msMax: 10_000, bytesMax: 1_000_000, ...limits },
    );
  }

  test('ends at its limit of time with what it has', async () => {
    const result = await run({}, { msMax: 50 });
    expect(result).toMatchObject({ ended: 'time', outcomes: { error: 0 } });
    expect((result as { seconds: number }).seconds).toBeLessThan(5);
  });

  test('ends at its limit of bytes', async () => {
    expect(await run({}, { bytesMax: 300 })).toMatchObject({ ended: 'bytes' });
  });

  test('whose listener answers nothing counts errors', async () => {
    const listener = new OwnListener(() => undefined);
    const signal = new AbortController().signal;
    const plan = { fids: [someFid], iterations: 3, size: 0, depth: 1, headers: {}, signal };
    const result = await runBench(listener, plan, { msMax: 1_000, bytesMax: 1 });
    expect(result.outcomes).toMatchObject({ error: 3 });
  });
});

describe('what is sent here', () => {
  async function admin(): Promise<string> {
    const cache = NeedleCache.off();
    const running: RunningAdmin = await startAdmin({
      role: 'proxy',
      version: '0',
      ...adminPlace,
      health: () => ({ status: 'ok', checks: {} }),
      readiness: () => ({ isReady: true, detail: '' }),
      stats: () => stats,
      metrics: () => createProxyMetrics('0').expose(),
      proxy: {
        cacheStats: () => cache.stats(),
        cachedNeedles: () => [],
        evict: (choice) => cache.evict(choice),
        traffic: new TrafficWatch(),
        connect: () => undefined,
      },
    });
    ends.push(() => running.close());
    return `http://${running.address}`;
  }

  test('holds at most evictedMax needles and requestBytesMax bytes', async () => {
    const base = await admin();
    const evict = async (body: unknown): Promise<number> =>
      (await ask(`${base}/api/cache/evict`, {}, body)).status;
    const fids = Array.from({ length: evictedMax + 1 }, () => someFid);
    expect(await evict({ fids })).toBe(400);
    expect(await evict({ fids: fids.slice(1) })).toBe(200);
    expect(await evict(`{"fids":["${' '.repeat(requestBytesMax)}"]}`)).toBe(413);
    expect(await evict('{"fids":')).toBe(400);
  });

  test('is joined where it comes in chunks of one byte', async () => {
    const pushed = vi.spyOn(JoinedBody.prototype, 'push');
    const body = `{"fids":[]${' '.repeat(50_000)}}`;
    const { hostname, port } = new URL(await admin());
    const asking = request({ hostname, port, path: '/api/cache/evict', method: 'POST' });
    asking.setHeader('Content-Type', 'application/json');
    for (const byte of body) asking.write(byte);
    asking.end();
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(200);
    const pieces = pushed.mock.calls.filter(([piece]) => piece !== null);
    expect(pieces.length).toBe(Math.ceil(body.length / 4_096));
  });

  test('is answered with 503 while the HTTP listener is not open', async () => {
    const answer = await ask(`${await admin()}/api/read?fid=${someFid}`);
    expect([answer.status, parsed<{ error: string }>(answer).error]).toEqual([
      503,
      expect.stringContaining('starting or draining'),
    ]);
  });
});

test('the ring of fallbacks keeps the latest fallbacksMax and nothing that is ordinary', () => {
  const ring = new FallbackRing();
  const record: RequestRecord = {
    outcome: 'passthrough',
    reason: 'not-found',
    transport: 'none',
    durationMs: 1,
    bodyBytes: 0,
    request: { method: 'GET', target: '/3,015eedc0de', rawHeaders: [] },
    answerHead: '',
    client: { address: '10.0.0.5', isOwn: false },
    decidedMs: 0,
    sessionId: 0n,
  };
  ring.observe(record);
  expect(ring.latest(1)).toEqual([]);
  for (let i = 0; i < fallbacksMax + 5; i += 1) {
    ring.observe({ ...record, reason: 'breaker', durationMs: i });
  }
  ring.observe({ ...record, outcome: 'error', reason: 'method' });
  const kept = ring.latest(fallbacksMax + 100);
  expect(kept.length).toBe(fallbacksMax);
  expect(kept[0]).toMatchObject({ outcome: 'error', reason: 'method', path: '/3,01…' });
  expect(kept[1]).toMatchObject({ reason: 'breaker', durationMs: fallbacksMax + 4 });
  expect(ring.latest(2).length).toBe(2);
});
