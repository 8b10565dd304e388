/** Several volume servers behind one proxy: every request of a volume goes to the server that has it. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { RawClient } from './http-front-fixture.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { type ReadMode, StandInServer } from './stand-in-server.ts';

const scratch = scratchFolder();
const fidOf = (volumeId: number): string => `/${volumeId},0100000007`;

let first: StandInServer;
let second: StandInServer;
let proxy: Role | undefined;

beforeEach(async () => {
  first = await new StandInServer().start();
  second = await new StandInServer().start();
  first.peer = second;
  second.peer = first;
  first.has(1, { [fidOf(1)]: 'one' });
  second.has(2, { [fidOf(2)]: 'two' });
});

afterEach(async () => {
  proxy?.signal('SIGKILL');
  proxy = undefined;
  await Promise.all([first.stop(), second.stop()]);
});

interface Started {
  readonly http: string;
  readonly admin: string;
}

/** `rdma`: lines of that table; no target runs anywhere. */
async function startProxy(
  rdma = '',
  servers: readonly StandInServer[] = [first, second],
  wait: 'ready' | 'settled' = 'settled',
): Promise<Started> {
  const upstreams = servers.map(
    ({ url }) => `[[seaweedfs.volume_server]]\nurl = "${url}"\ntarget = ""\n`,
  );
  const config = `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n${upstreams.join('')}[rdma]\n${rdma}\n[limits]\nupstream_timeout = "3s"\n[admin]\nlisten = "127.0.0.1:0"\n`;
  proxy = startRole(['proxy', '--config', scratch.write(`proxy-${Math.random()}.toml`, config)]);
  const bound = await (wait === 'settled' ? proxy.ready() : proxy.line('ready'));
  return { http: `http://${bound['http']}`, admin: `http://${bound['admin']}` };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly source: string;
}

async function ask(url: string, options: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(url, { redirect: 'manual', ...options });
  const text = await answer.text();
  return { status: answer.status, text, source: answer.headers.get('x-rdma-source') ?? '' };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('waited 10 s in vain');
    await pause(20);
  }
}

describe('a volume of the second server, beside which no target runs', () => {
  test.each(['local', 'proxy', 'redirect'] as const)(
    'is read, written and deleted there, where servers have readMode=%s',
    async (readMode: ReadMode) => {
      first.readMode = readMode;
      second.readMode = readMode;
      const { http } = await startProxy();
      const url = `${http}${fidOf(2)}`;
      expect(await ask(url)).toEqual({
        status: 200,
        text: 'two',
        source: 'passthrough;reason=off',
      });
      expect((await ask(`${url}?width=9`)).status).toBe(404);
      expect((await ask(url, { method: 'POST', body: 'new' })).status).toBe(201);
      expect((await ask(url)).text).toBe('new');
      expect((await ask(url, { method: 'DELETE' })).status).toBe(202);
      expect((await ask(url)).status).toBe(404);
      expect(second.volumes.get(2)?.size).toBe(0);
      expect(first.askedOf(2)).toEqual([]);
      expect(second.askedOf(2)).toHaveLength(6);
    },
  );

  test.each(['require', 'off'])('is read there in mode %s as well', async (mode) => {
    const { http } = await startProxy(`mode = "${mode}"`);
    const answer = await ask(`${http}${fidOf(2)}`);
    expect(answer).toEqual({ status: 200, text: 'two', source: 'passthrough;reason=off' });
    expect(first.askedOf(2)).toEqual([]);
  });

  test('is read there by a client of HTTP/1.0 as well', async () => {
    const { http } = await startProxy();
    const client = new RawClient(Number(new URL(http).port));
    client.send(`GET ${fidOf(2)} HTTP/1.0\r\nHost: a\r\n\r\n`);
    expect(await client.untilClosed()).toContain('two');
    expect(first.askedOf(2)).toEqual([]);
  });
});

describe('a server that does not answer', () => {
  test('leaves its volumes at 502, says so in log, fallbacks and health, and no other server is asked', async () => {
    const { http, admin } = await startProxy();
    await second.stop();
    await until(() => proxy?.lines.some((line) => line['event'] === 'upstream-down') === true);
    for (const mode of ['GET', 'DELETE']) {
      expect((await ask(`${http}${fidOf(2)}`, { method: mode })).status).toBe(502);
    }
    expect(first.askedOf(2)).toEqual([]);
    const error = expect.stringMatching(/cannot be reached: .*ECONNREFUSED 127\.0\.0\.1:\d+/);
    const told = { outcome: 'error', reason: 'upstream-down', error };
    const line = await proxy?.line('request');
    expect(line).toMatchObject({ ...told, status: 502, level: 'error' });
    const { fallbacks } = JSON.parse((await ask(`${admin}/api/fallbacks`)).text);
    expect(fallbacks).toHaveLength(2);
    expect(fallbacks[0]).toMatchObject({ ...told, method: 'DELETE' });
    const some = await ask(`${admin}/health`);
    expect([some.status, JSON.parse(some.text).status]).toEqual([200, 'degraded']);

    await first.stop();
    await until(async () => JSON.parse((await ask(`${admin}/health`)).text).status === 'down');
    const { checks } = JSON.parse((await ask(`${admin}/health`)).text);
    expect(checks[`upstream ${first.url}`].detail).toMatch(
      /^does not answer: connect ECONNREFUSED/,
    );
  });

  test('has its volumes again when it is back', async () => {
    const { http } = await startProxy();
    await second.stop();
    expect((await ask(`${http}${fidOf(2)}`)).status).toBe(502);
    await second.start();
    expect((await ask(`${http}${fidOf(2)}`)).text).toBe('two');
    expect(first.askedOf(2)).toEqual([]);
  });

  test('gives way to another one that has the volume too', async () => {
    first.has(2, { [fidOf(2)]: 'two' });
    const { http } = await startProxy();
    await first.stop();
    await until(() => proxy?.lines.some((line) => line['event'] === 'upstream-down') === true);
    expect((await ask(`${http}${fidOf(2)}`)).text).toBe('two');
    expect(second.askedOf(2)).toHaveLength(1);
  });
});

describe('a volume that nobody is known to have', () => {
  test('is asked for at once: a read and a write that come with the start find its server', async () => {
    second.statusMs = 400;
    const { http } = await startProxy('', [first, second], 'ready');
    const [read, write] = await Promise.all([
      ask(`${http}${fidOf(2)}`),
      ask(`${http}/2,0200000007`, { method: 'POST', body: 'x'.repeat(300_000) }),
    ]);
    expect([read.text, write.status]).toEqual(['two', 201]);
    expect(second.volumes.get(2)?.get('/2,0200000007')?.length).toBe(300_000);
    expect(first.askedOf(2)).toEqual([]);
  });

  test('is found on the server that got it just now', async () => {
    const { http } = await startProxy();
    await ask(`${http}${fidOf(2)}`);
    second.has(5, { [fidOf(5)]: 'five' });
    expect((await ask(`${http}${fidOf(5)}`)).text).toBe('five');
    expect(first.askedOf(5)).toEqual([]);
  });

  test('has the first server’s own answer, and costs the servers few questions', async () => {
    const { http } = await startProxy();
    const before = second.pages['/status'] ?? 0;
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(`${http}${fidOf(9)}`)));
    expect(new Set(answers.map(({ status, source }) => `${status} ${source}`))).toEqual(
      new Set(['404 passthrough;reason=unknown-volume']),
    );
    expect(first.askedOf(9)).toHaveLength(60);
    expect(second.askedOf(9)).toEqual([]);
    expect((second.pages['/status'] ?? 0) - before).toBeLessThanOrEqual(4);
  });

  test('is decided in time where a server does not say what it has', async () => {
    second.statusMs = 60_000;
    const { http } = await startProxy();
    const startedAt = performance.now();
    const answer = await ask(`${http}${fidOf(9)}`);
    expect(answer).toMatchObject({ status: 404, source: 'passthrough;reason=unknown-volume' });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  test('is found where it has erasure coded shards', async () => {
    second.shards.set(7, new Map([[fidOf(7), Buffer.from('seven')]]));
    const { http } = await startProxy();
    expect((await ask(`${http}${fidOf(7)}`)).text).toBe('seven');
    expect(first.askedOf(7)).toEqual([]);
  });
});

describe('a volume that moves', () => {
  test('is followed after the first 404 of the server that had it', async () => {
    const { http } = await startProxy();
    expect((await ask(`${http}${fidOf(2)}`)).text).toBe('two');
    // The lists of the start are over: the next would come after 30 s.
    await pause(3_000);
    first.volumes.set(2, second.volumes.get(2) as Map<string, Buffer>);
    second.volumes.delete(2);
    await until(async () => (await ask(`${http}${fidOf(2)}`)).text === 'two');
    expect(first.askedOf(2)).toHaveLength(1);
  });

  test('stays with its last server while no other lists it', async () => {
    const { http } = await startProxy();
    second.volumes.delete(2);
    await until(async () => {
      expect((await ask(`${http}${fidOf(2)}`)).status).toBe(404);
      return (second.pages['/ui/index.html'] ?? 0) > 0;
    });
    expect((await ask(`${http}${fidOf(2)}`)).status).toBe(404);
    expect(first.askedOf(2)).toEqual([]);
  });
});

test('a single volume server is never asked what it has', async () => {
  const { http } = await startProxy('', [second]);
  expect((await ask(`${http}${fidOf(9)}`)).status).toBe(404);
  expect(second.pages).toEqual({});
  expect(second.askedOf(9)).toHaveLength(1);
});

test('a server that was never there leaves the others’ volumes alone', async () => {
  const [port = 0] = await freePorts(1);
  const absent = new StandInServer();
  absent.port = port;
  const { http } = await startProxy('', [absent, second]);
  expect((await ask(`${http}${fidOf(2)}`)).text).toBe('two');
  expect((await ask(`${http}${fidOf(9)}`)).status).toBe(502);
});
