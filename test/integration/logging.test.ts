/** What a real proxy writes about its requests: every kind of answer, the bounds, and the two formats. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { type LogLine, program, type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const cookie = 0x637037d6;
const path = `/${formatFid(3, 1n, cookie)}`;
const requestId = /^[0-9A-F]{24}$/;
let origin: Role;
let upstream = '';

beforeAll(async () => {
  using volume = createVolume({ dir: scratch.folder, volumeId: 3 });
  volume.append({ needleId: 1n, cookie, data: Buffer.alloc(3_000, 1), mime: 'a/b' });
  origin = startRole(['origin', '--dir', scratch.folder, '--listen', '127.0.0.1:0']);
  upstream = `http://${(await origin.ready())['http']}`;
});

interface RunningProxy {
  readonly role: Role;
  readonly file: string;
  readonly url: string;
  readonly admin: string;
}

function configOf(logging: string, upstreamUrl: string): string {
  return `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstreamUrl}"\n[rdma]\ntransport = "inproc"\ndirs = ["${scratch.folder}"]\n[memory]\nsize = "16MiB"\n[admin]\nlisten = "127.0.0.1:0"\n[logging]\n${logging}`;
}

async function startProxy(logging: string, upstreamUrl = upstream): Promise<RunningProxy> {
  const file = scratch.write(`proxy-${Math.random()}.toml`, configOf(logging, upstreamUrl));
  const role = startRole(['proxy', '--config', file]);
  const ready = await role.ready();
  return { role, file, url: `http://${ready['http']}`, admin: `http://${ready['admin']}` };
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(url, { headers });
  await answer.arrayBuffer();
  return answer.headers.get('x-amz-request-id') ?? '';
}

function requestLines({ role }: RunningProxy): LogLine[] {
  return role.lines.filter((line) => line['event'] === 'request');
}

describe('with every request logged', () => {
  let proxy: RunningProxy;
  beforeAll(async () => {
    proxy = await startProxy('requests = "all"\n');
  });
  afterAll(async () => {
    expect(await proxy.role.stop()).toBe(0);
  });

  test('each line names its answer by the id that the client got', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      ids.push(await ask(proxy.url + path, { 'X-Amz-Request-Id': `client-${count}` }));
    }
    ids.push(await ask(`${proxy.url}${path}?response-expires=1&Response-Expires=2`));
    ids.push(await ask(proxy.url + path, { TE: 'trailers' }));
    const lines = await whenLogged(proxy, ids.length);
    expect(lines.map((line) => line['request_id'])).toEqual(ids);
    expect(ids.filter((id) => !requestId.test(id))).toEqual([]);
    expect(lines.map((line) => line['client_request_id'])).toEqual([
      'client-0',
      'client-1',
      'client-2',
      undefined,
      undefined,
    ]);
    expect(lines.map((line) => `${line['outcome']} ${line['reason']}`)).toEqual([
      'rdma ',
      'cache ',
      'cache ',
      'passthrough query',
      'cache ',
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({ level: 'info', method: 'GET' });
      expect(Date.parse(String(line['timestamp']))).toBeGreaterThan(Date.now() - 60_000);
      expect(line['duration']).toBeGreaterThan(0);
      const bytesPerSecond = Number(line['bytes_read']) / Number(line['duration']);
      expect(Number(line['transfer_rate']) / bytesPerSecond).toBeCloseTo(1, 1);
    }
    expect(lines[1]).toMatchObject({ path: '/3,01…', status: 200, bytes_read: 3_000 });
    const masked = '/3,01…?response-expires=…&Response-Expires=…';
    expect(lines[3]).toMatchObject({ path: masked, status: 501 });
  });

  test('no line has a cookie', () => {
    expect(JSON.stringify(proxy.role.lines)).toContain('/3,01…');
    expect(JSON.stringify(proxy.role.lines)).not.toContain('637037d6');
  });

  test('SIGHUP turns it off', async () => {
    scratch.write(
      proxy.file.slice(scratch.folder.length + 1),
      configOf('requests = "off"\n', upstream),
    );
    proxy.role.signal('SIGHUP');
    const reload = await proxy.role.line('reload');
    expect(reload).toMatchObject({ applied: [{ key: 'logging.requests' }], needRestart: [] });
    const before = requestLines(proxy).length;
    await ask(proxy.url + path);
    await proxy.role.stop();
    expect(requestLines(proxy)).toHaveLength(before);
  });
});

/** Lines come by a pipe of their own, later than the answer. */
async function whenLogged(proxy: RunningProxy, count: number): Promise<LogLine[]> {
  for (;;) {
    const lines = requestLines(proxy);
    if (lines.length >= count || proxy.role.hasEnded) return lines;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('trouble', () => {
  const noUcx = !loadBinding().hasUcx;

  test('is written so many times a minute, and then counted', async () => {
    const proxy = await startProxy('trouble_per_minute = 2\n', 'http://127.0.0.1:1');
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await ask(`${proxy.url}/status`));
    const metrics = await (await fetch(`${proxy.admin}/metrics`)).text();
    expect(metrics).toContain('\nseaweed_rdma_log_lines_suppressed_total 3\n');
    expect(await proxy.role.stop()).toBe(0);
    const lines = requestLines(proxy);
    expect(lines.map((line) => line['request_id'])).toEqual(ids.slice(0, 2));
    expect(ids.filter((id) => !requestId.test(id))).toEqual([]);
    expect(lines[0]).toMatchObject({
      level: 'error',
      status: 502,
      outcome: 'error',
      reason: 'upstream-down',
      error: expect.stringContaining('ECONNREFUSED 127.0.0.1:1'),
    });
    expect(await proxy.role.line('suppressed')).toMatchObject({ of: 'request', suppressed: 3 });
  });

  test('of a connection that is piped raw has an id too', async () => {
    const proxy = await startProxy('', 'http://127.0.0.1:1');
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.write(`GET ${path} HTTP/1.2\r\n\r\n`);
    await once(socket, 'close');
    const id = /^HTTP\/1\.1 502 .*?\r\nX-Amz-Request-Id: ([0-9A-F]{24})\r\n/s.exec(answer)?.[1];
    expect(await proxy.role.line('request')).toMatchObject({
      request_id: id,
      method: 'raw',
      path: '/3,01…',
      status: 502,
      reason: 'raw',
    });
    expect(id).toMatch(requestId);
    await proxy.role.stop();
  });

  test.skipIf(noUcx)('of a target that stays away is told once', async () => {
    const file = scratch.write(
      'away.toml',
      `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstream}"\n[rdma]\ntarget = "127.0.0.1:1"\n[memory]\nsize = "16MiB"\n[admin]\nlisten = "127.0.0.1:0"\n`,
    );
    const role = startRole(['proxy', '--config', file]);
    const ready = await role.ready();
    const failed = /seaweed_rdma_sessions_total\{target="127.0.0.1:1",event="failed"\} ([0-9]+)/;
    for (;;) {
      const text = await (await fetch(`http://${ready['admin']}/metrics`)).text();
      if (Number(failed.exec(text)?.[1]) >= 3) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await role.stop()).toBe(0);
    const told = role.lines.filter((line) => line['event'] === 'target-down');
    expect(told).toHaveLength(1);
  });
});

describe('for people', () => {
  test('the lines are no JSON, and carry the same', async () => {
    const file = scratch.write('pretty.toml', configOf('requests = "all"\n', upstream));
    const child = spawn(program, ['proxy', '--config', file, '--log-format', 'pretty'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Whoever asks could write lines of his own, or to the terminal.
    const forged = '/1,01%0a[2026-11-29%2011:00:00.000]%20FATAL:%20forged%c2%9b31m%e2%80%ae%1b[2J';
    let text = '';
    let isToldToStop = false;
    for await (const chunk of child.stdout) {
      text += String(chunk);
      const http = /"http":"([^"]+)"/.exec(text)?.[1];
      if (isToldToStop || http === undefined) continue;
      isToldToStop = true;
      await (await fetch(`http://${http}${forged}`)).text();
      child.kill('SIGTERM');
    }
    if (child.exitCode === null) await once(child, 'close');
    expect(child.exitCode).toBe(0);
    expect(text).toMatch(
      /^\[[-0-9]+ [:.0-9]+\] INFO( \([0-9]+\))?: proxy is ready \{"event":"ready"/m,
    );
    expect(text).toContain('proxy has stopped');
    expect(text).not.toMatch(/^\{/m);
    expect(text).toContain('forged');
    expect(text).not.toMatch(/^.{0,40}FATAL/m);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  });
});

describe.skipIf(!loadBinding().hasUcx)('sessions', () => {
  test('have the same id on both sides, and a target tells whom it refuses', async () => {
    const secrets = ['right', 'wrong'].map((name) => scratch.write(name, `${name}\n`));
    const target = startRole([
      'target',
      '--config',
      scratch.write(
        'target.toml',
        `[rdma]\nport = 0\nbuffer_size = "16MiB"\nsecret_file = "${secrets[0]}"\n[target]\ndirs = ["${scratch.folder}"]\nvolume_server_url = "${upstream}"\nconfirm_every = "50ms"\n[admin]\nlisten = "127.0.0.1:0"\n`,
      ),
    ]);
    const address = (await target.ready())['rdma'];
    const proxyOf = (secret: string | undefined): Role =>
      startRole([
        'proxy',
        '--config',
        scratch.write(
          `${Math.random()}.toml`,
          `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstream}"\n[rdma]\ntarget = "${address}"\nsecret_file = "${secret}"\nconnect_timeout = "20s"\n[memory]\nsize = "16MiB"\n[admin]\nlisten = "127.0.0.1:0"\n[logging]\nrequests = "all"\n`,
        ),
      ]);
    const [right, wrong] = [proxyOf(secrets[0]), proxyOf(secrets[1])];
    const up = await right.line('target-up');
    const welcomed = await target.line('session-welcomed');
    expect(welcomed).toMatchObject({ level: 'info', session_id: up['session_id'] });
    const refused = await target.line('session-refused');
    expect(refused).toMatchObject({
      level: 'warn',
      reason: 'unauthorized',
      peer: '127.0.0.1',
      message: expect.stringContaining('secret'),
    });
    expect(refused['session_id']).toBeUndefined();
    // On a machine that is busy an attempt may run into its deadline first.
    const isRefused = ({ event, reason }: LogLine): boolean =>
      event === 'target-down' && reason === 'unauthorized';
    await vi.waitUntil(() => wrong.lines.some(isRefused), { timeout: 10_000 });
    const { http } = await right.ready();
    // The target may announce the volume before its server has confirmed it.
    let answered: LogLine | undefined;
    while (answered?.['outcome'] !== 'rdma') {
      await ask(`http://${http}${path}`);
      answered = right.lines.findLast(({ event }) => event === 'request');
    }
    expect(answered['session_id']).toBe(up['session_id']);
    await right.stop();
    expect(await target.line('session-ended')).toMatchObject({ session_id: up['session_id'] });
    wrong.signal('SIGKILL');
    expect(await target.stop()).toBe(0);
  });
});
