/** The sidecar as a listener: what it answers besides bytes, whom it refuses, its limits, and its end. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { signReadToken } from '../../src/needle/token/sign-read-token.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { scratchFolder } from './scratch.ts';
import {
  type Answer,
  ask,
  metrics,
  mountRead,
  type SidecarStage,
  startSidecarStage,
  sumOf,
} from './sidecar-stage.ts';

const scratch = scratchFolder();
let stage: SidecarStage;

beforeAll(async () => {
  stage = await startSidecarStage(scratch, {
    transport: 'inproc',
    sidecar: 'read_bytes_max = "1MiB"\nconnections = 20\n',
  });
}, 60_000);

function parsed<T>({ body }: Answer): T {
  return JSON.parse(body.toString()) as T;
}

describe('what it says of itself', () => {
  test('/health is what the mount looks for', async () => {
    const answer = await ask(stage.sidecar, '/health');
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
    const health = parsed<{ timestamp: string }>(answer);
    expect(health).toMatchObject({ status: 'healthy', rdma: { enabled: true, connected: true } });
    expect(Math.abs(Date.parse(health.timestamp) - Date.now())).toBeLessThan(60_000);
  });

  test('/rdma/ping, /rdma/capabilities and /stats tell of the targets', async () => {
    expect(parsed(await ask(stage.sidecar, '/rdma/ping'))).toMatchObject({
      success: true,
      engine_latency: expect.stringMatching(/^[\d.]+(us|ms|s)$/),
      targets: [{ address: 'inproc', error: '' }],
    });
    expect(parsed(await ask(stage.sidecar, '/rdma/capabilities'))).toMatchObject({
      active_sessions: 1,
      max_transfer_size: 2 ** 20,
      real_rdma: false,
      transports: ['inproc'],
      supported_auth: ['none'],
    });
    const stats = parsed<{ requests: { path: string }[] }>(await ask(stage.sidecar, '/stats'));
    expect(stats).toMatchObject({ enabled: true, connected: true, temp_files: null });
    expect(stats.requests.some(({ path }) => path === 'ping')).toBe(true);
  });

  test('the admin listener tells of it', async () => {
    const health = (await (await fetch(`${stage.admin}/health`)).json()) as {
      checks: Record<string, object>;
    };
    expect(health.checks['sidecar']).toMatchObject({
      status: 'ok',
      detail: 'listening',
      address: stage.sidecar.slice('http://'.length),
    });
  });

  test('/benchmark reads real needles, and says so where it knows none', async () => {
    const fresh = await startSidecarStage(scratch, { transport: 'inproc' });
    const none = await ask(fresh.sidecar, '/benchmark?iterations=3');
    expect([none.status, none.body.toString()]).toEqual([
      409,
      expect.stringContaining('/benchmark?file_id='),
    ]);
    const { fid } = fresh.needles.plain;
    const named = await ask(fresh.sidecar, `/benchmark?iterations=20&size=1000&fid=${fid}`);
    expect(parsed(named)).toMatchObject({
      rdma_enabled: true,
      benchmark_results: {
        iterations: 20,
        successful_ops: 20,
        failed_ops: 0,
        rdma_ops: 1,
        cache_ops: 19,
        http_ops: 0,
        total_bytes: 20_000,
      },
    });
    await mountRead(fresh, fresh.needles.small.fid);
    const recent = await ask(fresh.sidecar, '/benchmark?iterations=5&size=4');
    expect(parsed(recent)).toMatchObject({
      benchmark_results: { successful_ops: 5, cache_ops: 5, total_bytes: 20 },
    });
    const gone = await ask(fresh.sidecar, `/benchmark?fid=${fresh.needles.deleted.fid}`);
    expect(parsed(gone)).toMatchObject({
      benchmark_results: {
        successful_ops: 0,
        failed_ops: 10,
        failure: expect.stringMatching(/404/),
      },
    });
    for (const query of ['iterations=0', 'iterations=10001', 'iterations=x', 'size=17MiB']) {
      expect((await ask(fresh.sidecar, `/benchmark?fid=${fid}&${query}`)).status).toBe(400);
    }
    expect(await fresh.proxy.stop()).toBe(0);
  }, 30_000);
});

describe('whom it refuses', () => {
  test.each([
    ['GET', '/', 404],
    ['GET', '/3,01637037d6', 404],
    ['GET', '/read/', 404],
    ['GET', '/../read', 404],
    ['POST', '/read', 405],
    ['DELETE', '/health', 405],
    ['GET', '/cleanup?temp_file=x', 405],
    ['OPTIONS', '/read', 405],
    ['GET', '/read?file_id=3', 400],
    ['GET', '/read?file_id=3,01637037d6&volume_server=http://127.0.0.1:1', 403],
    ['GET', '/read?file_id=3,01637037d6&volume_server=ftp://x', 400],
  ])('%s %s is answered with %i', async (method, path, status) => {
    const answer = await ask(stage.sidecar, path, { method });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(answer.body.length).toBeGreaterThan(10);
    if (status === 405) expect(answer.headers.allow).toMatch(/GET|DELETE/);
  });

  test('pages of a browser, and bodies that are too long', async () => {
    // Pictures and scripts come without Origin, and over plain HTTP beyond loopback without Sec-Fetch-Site, too.
    for (const name of ['Origin', 'Sec-Fetch-Site', 'Referer']) {
      const headers = { [name]: 'http://page.example/' };
      const { status, body } = await ask(stage.sidecar, '/health', { headers });
      expect([status, body.toString()]).toEqual([403, expect.stringContaining(`(${name})`)]);
    }
    const typed = { 'sec-fetch-site': 'none' };
    expect((await ask(stage.sidecar, '/health', { headers: typed })).status).toBe(200);
    const long = { method: 'POST', body: `{"file_id":"${'3'.repeat(5_000)}"}` };
    expect((await ask(stage.sidecar, '/rdma/read', long)).status).toBe(413);
    const many = `/read?${'a&'.repeat(1001)}`;
    expect((await ask(stage.sidecar, many)).status).toBe(400);
    const broken = { method: 'POST', body: '{"file_id":' };
    expect((await ask(stage.sidecar, '/rdma/read', broken)).status).toBe(400);
  });

  test('a page whose name was made to point here, or that asks for another address', async () => {
    const { fid } = stage.needles.small;
    const strangers = ['page.example', '0.0.0.0:8082', '[::ffff:127.0.0.1]:8082', '10.0.0.5'];
    for (const path of [`/read?file_id=${fid}`, '/benchmark?iterations=1', '/stats']) {
      const hosts = { 403: strangers, 200: ['localhost:8082', '127.0.0.1', '[::1]:8082'] };
      for (const [status, names] of Object.entries(hosts)) {
        for (const host of names) {
          expect((await ask(stage.sidecar, path, { headers: { host } })).status).toBe(+status);
        }
      }
    }
  });

  test('what is no HTTP, without losing its mind', async () => {
    const { hostname, port } = new URL(stage.sidecar);
    for (const text of ['nonsense\r\n\r\n', `GET /read?${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`]) {
      const socket = connect(Number(port), hostname);
      socket.write(text);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1.1 4\d\d /);
      socket.destroy();
    }
    expect((await ask(stage.sidecar, '/health')).status).toBe(200);
  });
});

describe('its limits', () => {
  test('read_bytes_max refuses what is longer, and names itself', async () => {
    const { fid, bytes } = stage.needles.large;
    for (const size of [0, 2 ** 20 + 1]) {
      const answer = await mountRead(stage, fid, 0, size);
      expect([answer.status, answer.body.toString()]).toEqual([
        413,
        expect.stringContaining('sidecar.read_bytes_max'),
      ]);
    }
    const fits = await mountRead(stage, fid, 0, 2 ** 20);
    expect(fits.body.equals(bytes.subarray(0, 2 ** 20))).toBe(true);
  });

  test('bytes_in_flight refuses reads beside others, and takes them again', async () => {
    const fresh = await startSidecarStage(scratch, {
      transport: 'inproc',
      sidecar: 'read_bytes_max = "1MiB"\nbytes_in_flight = "2500KB"\n',
      rdma: 'simulated_latency = "300ms"\n',
    });
    const { fid } = fresh.needles.large;
    const read = (): Promise<Answer> => mountRead(fresh, fid, 0, 1_000_000);
    const answers = await Promise.all([read(), read(), read(), ask(fresh.sidecar, '/health')]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 503]);
    const refused = answers.find(({ status }) => status === 503);
    expect([refused?.headers['retry-after'], refused?.body.toString()]).toEqual([
      '1',
      expect.stringContaining('sidecar.bytes_in_flight'),
    ]);
    expect((await read()).status).toBe(200);
    const idle = 'seaweed_rdma_sidecar_in_flight_bytes';
    expect(sumOf(await metrics(fresh.admin), idle)).toBe(0);
    await fresh.proxy.stop();
  }, 30_000);

  test('connections ends what is too many', async () => {
    const { hostname, port } = new URL(stage.sidecar);
    const sockets = Array.from({ length: 24 }, () => connect(Number(port), hostname));
    const closed = sockets.map((socket) => once(socket.resume(), 'close'));
    const name = 'seaweed_rdma_sidecar_connections_evicted_total';
    const evicted = async (): Promise<number> => sumOf(await metrics(stage.admin), name);
    await expect.poll(evicted, { timeout: 5_000 }).toBeGreaterThanOrEqual(4);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  });

  test('requests_in_flight refuses reads over it', async () => {
    const fresh = await startSidecarStage(scratch, {
      transport: 'inproc',
      sidecar: 'requests_in_flight = 1\n',
      rdma: 'simulated_latency = "300ms"\n',
    });
    const { fid } = fresh.needles.plain;
    const answers = await Promise.all([
      mountRead(fresh, fid, 0, 10),
      mountRead(fresh, fid, 0, 10),
      ask(fresh.sidecar, '/health'),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 503]);
    expect(answers[2].status).toBe(200);
    await fresh.proxy.stop();
  }, 30_000);
});

test('head_timeout and idle_timeout end connections that say too little', async () => {
  const fresh = await startSidecarStage(scratch, {
    transport: 'inproc',
    sections: '[limits]\nhead_timeout = "500ms"\nidle_timeout = "2500ms"\n',
  });
  const { hostname, port } = new URL(fresh.sidecar);
  const half = connect(Number(port), hostname);
  const answered = once(half, 'data') as Promise<[Buffer]>;
  half.write('GET /health HTTP/1.1\r\nHo');
  const idle = connect(Number(port), hostname);
  idle.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  const ended = once(idle.resume(), 'close');
  expect((await answered)[0].toString()).toMatch(/^HTTP\/1.1 408 /);
  await ended;
  half.destroy();
  await fresh.proxy.stop();
}, 30_000);

describe('read tokens', () => {
  const key = 'a signing key';
  const security = (): string =>
    `security_toml = "${scratch.write('security.toml', `[jwt.signing.read]\nkey = "${key}"\n`)}"`;

  test('it is no way around them', async () => {
    const fresh = await startSidecarStage(scratch, { transport: 'inproc', seaweedfs: security() });
    const { fid, bytes } = fresh.needles.small;
    const without = await mountRead(fresh, fid);
    expect([without.status, without.body.toString()]).toEqual([
      403,
      expect.stringContaining('sidecar.sign_reads'),
    ]);
    const soon = Math.floor(Date.now() / 1000) + 60;
    const as = (token: string): Promise<Answer> =>
      ask(fresh.sidecar, `/read?file_id=${fid}`, { headers: { authorization: `Bearer ${token}` } });
    expect((await as(signReadToken('another', fid, soon))).status).toBe(403);
    const signed = await as(signReadToken(key, fid, soon));
    expect([signed.status, signed.body]).toEqual([200, bytes]);
    await fresh.proxy.stop();
  }, 30_000);

  test('it signs where it is told to, for programs on this host', async () => {
    const fresh = await startSidecarStage(scratch, {
      transport: 'inproc',
      seaweedfs: security(),
      sidecar: 'sign_reads = true\n',
    });
    const { fid, bytes } = fresh.needles.small;
    expect((await mountRead(fresh, fid)).body).toEqual(bytes);
    const rebound = { headers: { host: 'page.example' } };
    expect((await ask(fresh.sidecar, `/read?file_id=${fid}`, rebound)).status).toBe(403);
    await fresh.proxy.stop();
  }, 30_000);
});

describe('when the fast path is not there', () => {
  test('mode = "off" reads over HTTP, and tells the mount that there is no RDMA', async () => {
    const fresh = await startOff('');
    expect(parsed(await ask(fresh.sidecar, '/health'))).toMatchObject({
      status: 'healthy',
      rdma: { enabled: false, connected: false },
    });
    for (const name of ['plain', 'gzip'] as const) {
      const { fid, bytes } = fresh.needles[name];
      const answer = await mountRead(fresh, fid, 1000, 5000);
      expect([answer.status, answer.body]).toEqual([200, bytes.subarray(1000, 6000)]);
      expect(answer.headers).toMatchObject({
        'x-rdma-used': 'false',
        'x-source': 'http',
        'x-fallback-reason': 'off',
      });
    }
    expect((await ask(fresh.sidecar, '/rdma/ping')).status).toBe(503);
    await fresh.proxy.stop();
  }, 30_000);

  test('http_fallback = false leaves the reading to the mount', async () => {
    const fresh = await startOff('http_fallback = false\n');
    const answer = await mountRead(fresh, fresh.needles.plain.fid, 0, 10);
    expect([answer.status, answer.body.toString()]).toEqual([503, expect.stringMatching(/off/)]);
    await fresh.proxy.stop();
  }, 30_000);

  test.skipIf(!loadBinding().hasUcx)(
    'a target that is not there yet: healthy and not connected, unless HTTP is forbidden',
    async () => {
      const stageOf = (mode: string): Promise<SidecarStage> =>
        startSidecarStage(scratch, {
          transport: 'ucx',
          fabric: `target = "127.0.0.1:1"\nmode = "${mode}"`,
          isFast: false,
        });
      const [preferring, requiring] = await Promise.all([stageOf('prefer'), stageOf('require')]);
      const health = await ask(preferring.sidecar, '/health');
      expect(health.status).toBe(200);
      expect(parsed(health)).toMatchObject({
        status: 'healthy',
        rdma: { enabled: true, connected: false },
      });
      const { fid, bytes } = preferring.needles.small;
      const read = await mountRead(preferring, fid);
      expect([read.status, read.body, read.headers['x-rdma-used']]).toEqual([200, bytes, 'false']);

      const forbidden = await ask(requiring.sidecar, '/health');
      expect([forbidden.status, parsed<object>(forbidden)]).toEqual([
        503,
        expect.objectContaining({
          status: 'unhealthy',
          detail: 'mode = "require" and no target is up',
        }),
      ]);
      expect((await mountRead(requiring, requiring.needles.small.fid)).status).toBe(503);
      await Promise.all([preferring.proxy.stop(), requiring.proxy.stop()]);
    },
    30_000,
  );

  test('neither target nor volume server: it is not healthy, and says why', async () => {
    const fresh = await startOff('');
    fresh.origin.signal('SIGKILL');
    await fresh.proxy.line('upstream-down');
    const health = await ask(fresh.sidecar, '/health');
    expect(health.status).toBe(503);
    expect(parsed(health)).toMatchObject({
      status: 'unhealthy',
      detail: 'no target is up and no volume server answers',
    });
    for (let i = 0; i < 5; i += 1) {
      expect((await mountRead(fresh, fresh.needles.plain.fid, 0, 10)).status).toBe(502);
    }
    expect(await fresh.proxy.line('sidecar-error')).toMatchObject({
      level: 'warn',
      path: 'health',
      reason: '',
      suppressed: 0,
    });
    await fresh.proxy.stop();
  }, 30_000);

  function startOff(sidecar: string): Promise<SidecarStage> {
    const rdma = 'mode = "off"\n';
    return startSidecarStage(scratch, { transport: 'inproc', rdma, sidecar, isFast: false });
  }
});

test('SIGTERM lets a read finish, and takes no more', async () => {
  const fresh = await startSidecarStage(scratch, {
    transport: 'inproc',
    rdma: 'simulated_latency = "500ms"\n',
  });
  const { fid, bytes } = fresh.needles.small;
  const reading = mountRead(fresh, fid);
  const inFlight = async (): Promise<number> =>
    sumOf(await metrics(fresh.admin), 'seaweed_rdma_sidecar_requests_in_flight');
  await expect.poll(inFlight, { timeout: 5_000, interval: 10 }).toBe(1);
  fresh.proxy.signal('SIGTERM');
  await fresh.proxy.line('draining');
  const answer = await reading;
  expect([answer.status, answer.body, answer.headers.connection]).toEqual([200, bytes, 'close']);
  expect(await fresh.proxy.ended).toEqual([0, null]);
  await expect(mountRead(fresh, fid)).rejects.toThrow(/ECONNREFUSED/);
}, 30_000);
