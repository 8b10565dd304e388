/** The admin API of a proxy over real sockets: what it lists is what is there, and nobody gets past its rules. */
import { request } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { benchDepthMax, benchIterationsMax } from '../../src/admin/api/bench-route.ts';
import { fallbacksMax } from '../../src/admin/traffic/fallback-ring.ts';
import {
  type AdminStage,
  ask,
  bytesOf,
  cookie,
  fid,
  fillVolume,
  largeNeedleId,
  parsed,
  type StageOptions,
  startStage,
  volumeId,
} from './admin-stage.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const needleBytes = 5000;
let stage: AdminStage;

beforeAll(async () => {
  fillVolume(scratch.folder, 8, needleBytes);
  stage = await startStage(scratch.folder, {
    configuration: () => [{ key: 'cache.size', value: '2MiB', from: 'proxy.toml:3' }],
  });
});

interface CachePage {
  readonly stats: { readonly needles: number; readonly hits: number };
  readonly needles: readonly {
    readonly volumeId: number;
    readonly needleId: string;
    readonly bytes: number;
    readonly hits: number;
    readonly decoded: boolean;
  }[];
}

async function cachePage(limit = 100): Promise<CachePage> {
  return parsed(await ask(`${stage.admin}/api/cache?limit=${limit}`));
}

async function post(path: string, body: unknown): Promise<Awaited<ReturnType<typeof ask>>> {
  return ask(`${stage.admin}${path}`, {}, body);
}

describe('a needle', () => {
  test('is read as a client reads it, and the answer says by whom it was given', async () => {
    await post('/api/cache/evict', { all: true });
    const sources = [];
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(`${stage.admin}/api/read?fid=${fid(1n)}`);
      expect(answer.status).toBe(200);
      expect(answer.body.equals(bytesOf(1n, needleBytes))).toBe(true);
      expect(answer.headers['content-type']).toBe('image/x-test');
      expect(answer.headers['content-security-policy']).toContain('sandbox');
      expect(answer.headers['content-disposition']).toBe('attachment');
      sources.push(answer.headers['x-rdma-source']);
    }
    expect(sources).toEqual(['rdma', 'cache']);
  });

  test('tells others nothing of that: debug_headers is off', async () => {
    const answer = await ask(`${stage.http}/${fid(1n)}`);
    expect([answer.status, answer.headers['x-rdma-source']]).toEqual([200, undefined]);
  });

  test('is counted like any other request', async () => {
    const total = async (): Promise<number> =>
      parsed<{ requests: { requests: number } }>(await ask(`${stage.admin}/stats`)).requests
        .requests;
    const before = await total();
    await ask(`${stage.admin}/api/read?fid=${fid(2n)}`);
    expect((await total()) - before).toBe(1);
  });

  test('comes in part, and not at all, with the status of the HTTP listener', async () => {
    const part = await ask(`${stage.admin}/api/read?fid=${fid(1n)}`, { range: 'bytes=10-19' });
    expect(part.status).toBe(206);
    expect(part.body.equals(bytesOf(1n, needleBytes).subarray(10, 20))).toBe(true);
    const missing = await ask(`${stage.admin}/api/read?fid=${fid(4711n)}`);
    expect(missing.status).toBe(404);
    expect(missing.headers['x-rdma-source']).toBe('passthrough;reason=not-found');
  });

  test.each(['', 'no', '3,1', '3,0x5eedc0de', '3,015eedc0de/../status', '3,015eedc0de?a=b'])(
    'that is called "%s" is refused before anything is asked',
    async (name) => {
      const answer = await ask(`${stage.admin}/api/read?fid=${encodeURIComponent(name)}`);
      expect(answer.status).toBe(400);
      expect(parsed<{ error: string }>(answer).error).toContain('fid');
    },
  );
});

describe('the proxy’s own listener', () => {
  const outcomeOf = async (listen: StageOptions['listen']): Promise<unknown[]> => {
    const other = await startStage(scratch.folder, {}, { ...(listen && { listen }) });
    const read = await ask(`${other.admin}/api/read?fid=${fid(1n)}`);
    const bench = await ask(`${other.admin}/api/bench`, {}, { fids: [fid(1n)], iterations: 1 });
    const { outcomes } = parsed<BenchPage>(bench);
    await other.close();
    return [read.status, read.headers['x-rdma-source'], outcomes];
  };
  const outcomes = { cache: 1, rdma: 0, passthrough: 0, error: 0, unknown: 0 };

  test.each([
    { host: '0.0.0.0', port: 0 },
    { host: '::', port: 0 },
  ])('is reached where it is bound to $host', async (listen) => {
    expect(await outcomeOf(listen)).toEqual([200, 'rdma', outcomes]);
  });

  test('is reached where it is a unix socket, which does not tell whose connections are', async () => {
    const path = join(scratch.folder, 'http.sock');
    const untold = { ...outcomes, cache: 0, unknown: 1 };
    expect(await outcomeOf({ path })).toEqual([200, undefined, untold]);
  });

  test('loses the connections that were made to it when they are idle', async () => {
    const other = await startStage(scratch.folder);
    await ask(`${other.admin}/api/read?fid=${fid(1n)}`);
    const connections = (): number => other.proxy.status().connections;
    expect(connections()).toBe(1);
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
    expect((await ask(`${other.admin}/api/read?fid=${fid(1n)}`)).status).toBe(200);
    await other.close();
  });
});

describe('the cache', () => {
  test('lists what was asked for most first, and no cookies', async () => {
    await post('/api/cache/evict', { all: true });
    for (const [id, times] of [
      [5n, 2],
      [6n, 6],
      [7n, 1],
    ] as const) {
      for (let i = 0; i < times; i += 1) await ask(`${stage.http}/${fid(id)}`);
    }
    const page = await cachePage();
    expect(page.stats.needles).toBe(3);
    expect(page.needles[0]).toMatchObject({ volumeId, needleId: '6', bytes: needleBytes });
    expect(page.needles.map(({ hits }) => hits)).toEqual(
      page.needles.map(({ hits }) => hits).toSorted((a, b) => b - a),
    );
    expect(JSON.stringify(page)).not.toContain(String(cookie));
    expect((await cachePage(1)).needles).toHaveLength(1);
    expect((await ask(`${stage.admin}/api/cache?limit=1001`)).status).toBe(400);
  });

  test('is warmed, needle by needle, and says what became of each', async () => {
    await post('/api/cache/evict', { all: true });
    const fids = [fid(1n), fid(2n), fid(4711n)];
    const answer = parsed<{ warmed: number; results: readonly object[] }>(
      await post('/api/cache/warm', { fids }),
    );
    expect(answer.warmed).toBe(2);
    expect(answer.results).toEqual([
      { fid: fids[0], outcome: 'rdma', reason: '', status: 200, bytes: needleBytes },
      { fid: fids[1], outcome: 'rdma', reason: '', status: 200, bytes: needleBytes },
      expect.objectContaining({ outcome: 'passthrough', reason: 'not-found', status: 404 }),
    ]);
    expect((await cachePage()).stats.needles).toBe(2);
  });

  test('is emptied by needle, by volume and whole, and the slabs go home', async () => {
    const slabs = (): number => stage.proxy.status().cache.slabs;
    await post('/api/cache/evict', { all: true });
    await expect.poll(slabs).toBe(0);
    const fids = [1n, 2n, 3n].map(fid);
    await post('/api/cache/warm', { fids });
    expect(slabs()).toBe(3);
    const evicted = async (body: object): Promise<number> =>
      parsed<{ evicted: number }>(await post('/api/cache/evict', body)).evicted;
    expect(await evicted({ fids: [fid(1n), fid(77n)] })).toBe(1);
    expect(await evicted({ volumeId: volumeId + 1 })).toBe(0);
    const wrapped = { needles: [{ volumeId, needleId: String(2n ** 64n + 3n) }] };
    const refused = await ask(`${stage.admin}/api/cache/evict`, {}, wrapped);
    expect(refused.status).toBe(400);
    expect(await evicted({ needles: [{ volumeId, needleId: '2' }] })).toBe(1);
    expect(await evicted({ volumeId })).toBe(1);
    expect(await evicted({ all: true })).toBe(0);
    await expect.poll(slabs).toBe(0);
    expect((await cachePage()).needles).toEqual([]);
    expect((await ask(`${stage.http}/${fid(1n)}`)).body).toEqual(bytesOf(1n, needleBytes));
  });

  test.each([
    [{}, 'say what'],
    [{ fids: ['3;015eedc0de'] }, 'pattern'],
    [{ volumeId: -1 }, '>= 0'],
    [{ everything: true }, 'additional properties'],
  ])('does not guess what %j is to evict', async (body, complaint) => {
    const answer = await post('/api/cache/evict', body);
    expect(answer.status).toBe(400);
    expect(parsed<{ error: string }>(answer).error).toContain(complaint);
  });
});

describe('fallbacks', () => {
  test('are listed with their cause, without cookies; what is passed for its meaning is not', async () => {
    await ask(`${stage.http}/${fid(4711n)}`);
    await ask(`${stage.http}/${fid(largeNeedleId)}?jwt=secret`);
    const { fallbacks } = parsed<{ fallbacks: readonly { path: string }[] }>(
      await ask(`${stage.admin}/api/fallbacks`),
    );
    expect(fallbacks[0]).toMatchObject({
      outcome: 'passthrough',
      reason: 'no-slab',
      method: 'GET',
    });
    expect(fallbacks[0]?.path).toMatch(/^\/3,63/);
    expect(JSON.stringify(fallbacks)).not.toMatch(/5eedc0de|secret|not-found/i);
    const tooMany = await ask(`${stage.admin}/api/fallbacks?limit=${fallbacksMax + 1}`);
    expect(tooMany.status).toBe(400);
  });
});

interface BenchPage {
  readonly requests: number;
  readonly bytesPerSecond: number;
  readonly perSecond: number;
  readonly latencyUs: Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly ended: string;
}

describe('a benchmark', () => {
  test('reads real needles as often as it was told to', async () => {
    await post('/api/cache/evict', { all: true });
    const page = parsed<BenchPage>(
      await post('/api/bench', { fids: [fid(1n), fid(2n)], iterations: 50, depth: 4 }),
    );
    expect(page).toMatchObject({ requests: 50, ended: 'done' });
    const { cache = 0, rdma = 0 } = page.outcomes;
    expect(cache + rdma).toBe(50);
    expect(rdma).toBeGreaterThanOrEqual(2);
    const { p50, p90, p99, max } = page.latencyUs;
    expect([p50, p90, p99, max].toSorted((a, b) => a - b)).toEqual([p50, p90, p99, max]);
    expect(p50).toBeGreaterThan(0);
    expect(page.bytesPerSecond / page.perSecond).toBeCloseTo(needleBytes, -2);
  });

  test('takes what is cached where no fids are given, and part of it where a size is', async () => {
    const page = parsed<BenchPage>(await post('/api/bench', { iterations: 20, size: 100 }));
    expect(page.outcomes).toMatchObject({ cache: 20 });
    expect(page.bytesPerSecond / page.perSecond).toBeCloseTo(100, -1);
    await post('/api/cache/evict', { all: true });
    expect((await post('/api/bench', { iterations: 1 })).status).toBe(409);
  });

  test.each([
    { iterations: 0 },
    { iterations: benchIterationsMax + 1 },
    { iterations: 1, depth: benchDepthMax + 1 },
    { iterations: 1, size: -1 },
    { iterations: 1, fids: [] },
    {},
  ])('is refused beyond its limits: %j', async (body) => {
    expect((await post('/api/bench', body)).status).toBe(400);
  });

  test('is the only one, and ends when whoever asked for it is gone', async () => {
    const body = JSON.stringify({ fids: [fid(1n)], iterations: benchIterationsMax, depth: 2 });
    const asked = request(`${stage.admin}/api/bench`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length },
    });
    asked.on('error', () => undefined).end(body);
    const before = stage.proxy.status().cache.hits;
    await expect.poll(() => stage.proxy.status().cache.hits).toBeGreaterThan(before);
    const plan = { fids: [fid(1n)], iterations: 1 };
    expect((await post('/api/bench', plan)).status).toBe(409);
    asked.destroy();
    await expect.poll(async () => (await post('/api/bench', plan)).status).toBe(200);
  });
});

describe('who may ask', () => {
  const readUrl = `/api/read?fid=${fid(1n)}`;
  const warm = { fids: [fid(1n)] };

  test('a page of another site may not, whatever it calls this machine', async () => {
    const host = new URL(stage.admin).host;
    const statusOf = async (headers: Record<string, string>): Promise<number> =>
      (await ask(`${stage.admin}/api/cache/warm`, headers, warm)).status;
    expect(await statusOf({ origin: 'http://evil.example' })).toBe(403);
    expect(await statusOf({ origin: 'null' })).toBe(403);
    expect(await statusOf({ origin: `http://${host}` })).toBe(200);
    expect(await statusOf({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    const picture = { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'image' };
    expect((await ask(`${stage.admin}${readUrl}`, picture)).status).toBe(403);
    const typed = await ask(`${stage.admin}${readUrl}`, { 'sec-fetch-site': 'none' });
    expect(typed.status).toBe(200);
    expect(typed.headers['cross-origin-resource-policy']).toBe('same-origin');
    const rebound = { host: 'evil.example', origin: 'http://evil.example' };
    expect(await statusOf(rebound)).toBe(403);
    expect((await ask(`${stage.admin}${readUrl}`, { host: 'evil.example' })).status).toBe(403);
    expect((await ask(`${stage.admin}/api/cache`, { host: 'evil.example:80' })).status).toBe(403);
    for (const path of ['/metrics', '/livez', '/readyz']) {
      expect((await ask(stage.admin + path, { host: 'node7.example' })).status).toBe(200);
      expect((await ask(stage.admin + path, { host: '0.0.0.0' })).status).toBe(200);
    }
  });

  test('a page that hides what it is may not, by an address that is not this listener’s', async () => {
    const { host } = new URL(stage.admin);
    for (const name of ['0.0.0.0', '[::ffff:127.0.0.1]', '10.0.0.5']) {
      const answer = await ask(`${stage.admin}${readUrl}`, { host: name });
      expect(answer.status).toBe(403);
      expect(parsed<{ error: string }>(answer).error).toContain('admin.token_file');
    }
    const from = async (referer: string): Promise<number> =>
      (await ask(`${stage.admin}${readUrl}`, { referer })).status;
    expect(await from('http://evil.example/')).toBe(403);
    expect(await from('http://127.0.0.1:1/')).toBe(403);
    expect(await from(`http://${host}/`)).toBe(200);
    expect((await ask(`${stage.admin}${readUrl}`, { host: 'localhost' })).status).toBe(200);
  });

  test('a form cannot: only JSON is read', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = { 'content-type': type };
      const answer = await ask(`${stage.admin}/api/cache/evict`, headers, '{"all":true}');
      expect(answer.status).toBe(415);
    }
  });

  test('an open listener that others can reach neither reads needles nor changes anything', async () => {
    const open = await startStage(scratch.folder, { listen: { host: '0.0.0.0', port: 0 } });
    const base = `http://127.0.0.1:${open.admin.split(':').at(-1)}`;
    for (const answer of [
      await ask(`${base}${readUrl}`),
      await ask(`${base}/api/cache/warm`, {}, warm),
      await ask(`${base}/api/cache/evict`, {}, { all: true }),
      await ask(`${base}/api/bench`, {}, { iterations: 1 }),
    ]) {
      expect(answer.status).toBe(403);
      expect(parsed<{ error: string }>(answer).error).toContain('admin.token_file');
    }
    expect((await ask(`${base}/api/cache`)).status).toBe(200);
    await open.close();
  });

  test('with a token nothing under /api answers without it, and the volume server’s goes beside it', async () => {
    const key = 'read-key';
    const locked = await startStage(
      scratch.folder,
      { token: () => 'secret', listen: { host: '0.0.0.0', port: 0 } },
      { readKey: key },
    );
    const base = `http://127.0.0.1:${locked.admin.split(':').at(-1)}`;
    const paths = [readUrl, '/api/cache', '/api/config', '/api/fallbacks'];
    for (const path of paths) expect((await ask(`${base}${path}`)).status).toBe(401);
    expect((await ask(`${base}/api/cache/evict`, {}, { all: true })).status).toBe(401);
    const authorization = 'Bearer secret';
    expect((await ask(`${base}/api/cache`, { authorization })).status).toBe(200);
    const read = await ask(`${base}${readUrl}`, { authorization });
    expect(read.headers['x-rdma-source']).toBe('passthrough;reason=auth');
    await locked.close();
  });

  test('pages of other origins read the status with enable_cors, and nothing under /api', async () => {
    const shared = await startStage(scratch.folder, { enableCors: true });
    const allowed = async (path: string): Promise<unknown> =>
      (await ask(`${shared.admin}${path}`)).headers['access-control-allow-origin'];
    expect(await allowed('/stats')).toBe('*');
    for (const path of [readUrl, '/api/cache', '/api/config']) {
      expect(await allowed(path)).toBeUndefined();
    }
    await shared.close();
  });
});

test('the configuration is what the role was started with', async () => {
  expect(parsed(await ask(`${stage.admin}/api/config`))).toEqual({
    keys: [{ key: 'cache.size', value: '2MiB', from: 'proxy.toml:3' }],
  });
});

test('a method that a page does not have is named with those that it has', async () => {
  const answer = await ask(`${stage.admin}/api/bench`);
  expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST']);
});
