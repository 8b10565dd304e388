/** Target and tools as processes, over UCX, on volumes that a real volume server wrote. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Role, runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const fixtures = join(import.meta.dirname, '..', 'conformance', 'fixtures');
const dataFolder = join(scratch.folder, 'data');
const secretFile = scratch.write('secret', 'shared\n');

interface Fixture {
  readonly vid: number;
  readonly key: string;
  readonly cookie: number;
  readonly fid: string;
}
const needles = JSON.parse(readFileSync(join(fixtures, 'needles.json'), 'utf8')) as Record<
  string,
  Fixture
>;

function needle(name: string): Fixture {
  const found = needles[name];
  if (found === undefined) throw new Error(`no fixture ${name}`);
  return found;
}

let target: Role;
let address = '';
let admin = '';
let targetFile = '';

beforeAll(async () => {
  mkdirSync(dataFolder);
  cpSync(join(fixtures, 'data', 'main'), dataFolder, { recursive: true });
  targetFile = scratch.write(
    'target.toml',
    `[rdma]
port = 0
buffer_size = "32MiB"
secret_file = "${secretFile}"
[target]
dirs = ["${dataFolder}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`,
  );
  target = startRole(['target', '--config', targetFile]);
  const ready = await target.ready();
  address = String(ready['rdma']);
  admin = String(ready['admin']);
});

afterAll(async () => {
  expect(await target.stop()).toBe(0);
});

function tool(...args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram([...args, '--target', address, '--secret-file', secretFile]);
}

describe('ping', () => {
  test('tells round trips and transport', async () => {
    const { status, stdout } = await tool('ping', '--count', '3', '--interval', '1ms', '--json');
    expect(status).toBe(0);
    const [result] = JSON.parse(stdout).targets;
    expect(result).toMatchObject({ target: address, sent: 3, lost: 0, roundTripUs: { count: 3 } });
    expect(result.transport).toMatch(/^(posix|sysv|tcp)$/);
    expect(result.roundTripUs.p50).toBeGreaterThan(0);
  });

  test('takes target and secret from a configuration', async () => {
    const file = scratch.write(
      'proxy.toml',
      `[rdma]\ntarget = "${address}"\nsecret_file = "${secretFile}"\n`,
    );
    const { status, stdout } = await runProgram(['ping', '--count', '1', '--config', file]);
    expect(status).toBe(0);
    expect(stdout).toContain(`target ${address} over`);
    const port = address.split(':')[1] ?? '';
    const environment = { SEAWEED_RDMA__RDMA__PORT: port };
    const own = await runProgram(['ping', '--count', '1', '--config', targetFile], environment);
    expect(own.status).toBe(0);
  });

  test('a wrong secret is unavailable, by name', async () => {
    const wrong = scratch.write('wrong-secret', 'other');
    const args = ['ping', '--target', address, '--secret-file', wrong];
    const { status, stderr } = await runProgram(args);
    expect(status).toBe(69);
    expect(stderr).toContain('unauthorized');
  });
});

// UCX writes to stdout unless it is told otherwise: a warning of its stood before the JSON of a tool.
test("UCX's own words go to stderr, and transports that reach nobody are refused by name", async () => {
  for (const tls of ['self', 'nonsense']) {
    const args = ['ping', '--target', '127.0.0.1:1', '--tls', tls, '--json'];
    const { status, stdout, stderr } = await runProgram(args);
    expect({ status, stdout }).toEqual({ status: 69, stdout: '' });
    expect(stderr).toMatch(/leave no transport to another process|UCX +(WARN|ERROR)/);
  }
});

test('capabilities tells what a target announces', async () => {
  const { status, stdout } = await tool('capabilities', '--json');
  expect(status).toBe(0);
  const found = JSON.parse(stdout);
  expect(found).toMatchObject({
    node: process.version,
    protocolVersion: 2,
    native: { loaded: true },
  });
  expect(found.native.ucx).toMatch(/^\d+\.\d+/);
  expect(found.targets[0].volumes).toContain('1 version 3');
});

describe('read', () => {
  test('writes the stored bytes, checksum verified', async () => {
    const { status, stdout, stderr } = await tool('read', needle('txt').fid);
    expect(status).toBe(0);
    expect(stderr).toContain('name: hello.txt');
    const text = gunzipSync(Buffer.from(stdout, 'latin1')).toString();
    expect(text.length).toBe(301);
  });

  test('a large needle goes to a file whole', async () => {
    const output = join(scratch.folder, 'big');
    const { status, stdout } = await tool('read', needle('big').fid, '--output', output, '--json');
    expect(status).toBe(0);
    const facts = JSON.parse(stdout);
    expect(facts).toMatchObject({ ok: true, fid: needle('big').fid, verified: true });
    expect(readFileSync(output).length).toBe(facts.dataBytes);
    expect(facts.dataBytes).toBeGreaterThan(2 ** 20);
  });

  test('a range of it is these bytes, and what an HTTP server gives is compared', async () => {
    const { fid } = needle('big');
    const output = join(scratch.folder, 'whole');
    await tool('read', fid, '--output', output);
    const whole = readFileSync(output);
    const part = join(scratch.folder, 'part');
    const range = ['--offset', '70000B', '--size', '5000B', '--output', part];
    expect((await tool('read', fid, ...range)).status).toBe(0);
    expect(readFileSync(part).equals(whole.subarray(70_000, 75_000))).toBe(true);

    let flipAt = -1;
    const server = createServer((request, response) => {
      const [from = 0, to = 0] = (request.headers.range?.match(/\d+/g) ?? []).map(Number);
      const bytes = Buffer.from(whole.subarray(from, to + 1));
      if (flipAt >= from && flipAt <= to) bytes[flipAt - from] = (bytes[flipAt - from] ?? 0) ^ 1;
      response.writeHead(206, { 'Content-Length': bytes.length }).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const same = await tool('read', fid, '--compare', url, ...range);
    flipAt = 71_234;
    const other = await tool('read', fid, '--compare', url, ...range);
    server.closeAllConnections();
    server.close();
    expect(same.stderr).toContain('the same 5000 bytes');
    expect({ status: other.status, told: other.stderr.includes('first at byte 71234') }).toEqual({
      status: 1,
      told: true,
    });
  });

  test('volume, needle and cookie name it as well', async () => {
    const { vid, key, cookie, fid } = needle('ten');
    const named = ['--volume', `${vid}`, '--needle', key, '--cookie', `0x${cookie.toString(16)}`];
    const { status, stdout } = await tool('read', ...named, '--json', '--metadata');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ fid, dataBytes: 10, verified: false });
  });

  test.each([
    ['deleted', 'deleted', []],
    ['a wrong cookie', 'cookie_mismatch', []],
    ['over the limit', 'too_large', ['--max-size', '1KiB']],
  ])('%s fails by name, without data', async (what, status, more) => {
    const fids: Record<string, string> = {
      deleted: needle('deleted').fid,
      'a wrong cookie': `${needle('txt').fid.slice(0, -1)}0`,
      'over the limit': needle('big').fid,
    };
    const fid = fids[what] ?? '';
    const ended = await tool('read', fid, ...more);
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toContain(status);
    const json = await tool('read', fid, '--json', ...more);
    expect(JSON.parse(json.stdout)).toEqual({ ok: false, fid, status });
  });
});

test('bench measures reads, and round trips where no needle is named', async () => {
  const read = await tool(
    'bench',
    needle('txt').fid,
    '--iterations',
    '500',
    '--depth',
    '4',
    '--json',
  );
  expect(read.status).toBe(0);
  const measured = JSON.parse(read.stdout);
  expect(measured).toMatchObject({ operation: 'read', requests: 500, failures: {} });
  expect(measured.bytes).toBe(500 * 174);
  const ping = await tool('bench', '--iterations', '100', '--size', '4KiB');
  expect(ping.status).toBe(0);
  expect(ping.stdout).toContain('round trips without data');
});

describe('the target', () => {
  test('counts what it answered', async () => {
    await tool('read', needle('txt').fid, '--output', '/dev/null');
    await expect
      .poll(async () => (await fetch(`http://${admin}/metrics`)).text())
      .toMatch(/seaweed_rdma_target_reads_total\{status="ok"\} [1-9]/);
    const text = await (await fetch(`http://${admin}/metrics`)).text();
    expect(text).toMatch(/rdma_bytes_transferred_total\{direction="tx"\} [1-9]/);
    expect(text).toMatch(/seaweed_rdma_target_sessions_total\{event="welcomed"\} [1-9]/);
    expect(text).not.toContain('\nseaweed_rdma_target_confirmation_age_seconds');
    const health = await (await fetch(`http://${admin}/health`)).json();
    expect(health).toMatchObject({
      status: 'ok',
      role: 'target',
      checks: { volumes: { loaded: 8 } },
    });
  });

  test('serves a volume only while its server serves it', async () => {
    const server = await volumeServer();
    const guarded = startRole(['target', '--config', targetFile], {
      SEAWEED_RDMA__TARGET__UNCONFIRMED: 'false',
      SEAWEED_RDMA__TARGET__VOLUME_SERVER_URL: server.url,
      SEAWEED_RDMA__TARGET__CONFIRM_EVERY: '50ms',
    });
    const ready = await guarded.ready();
    const statusOf = async (fid: string): Promise<string> => {
      const args = ['read', fid, '--json', '--secret-file', secretFile];
      const ended = await runProgram([...args, '--target', String(ready['rdma'])]);
      const { ok, status } = JSON.parse(ended.stdout);
      return ok ? 'ok' : status;
    };
    await guarded.line('confirmed');
    expect(await statusOf(needle('txt').fid)).toBe('ok');
    // Volume 2 is on disk and not in the server's list.
    expect(await statusOf(needle('vac_kept').fid)).toBe('volume_unconfirmed');
    await server.close();
    await guarded.line('unconfirmed');
    await expect
      .poll(() => statusOf(needle('txt').fid), { timeout: 5000 })
      .toBe('volume_unconfirmed');
    expect((await fetch(`http://${String(ready['admin'])}/readyz`)).status).toBe(503);
    expect(await guarded.stop()).toBe(0);
  });

  test('a directory that is not there ends it with 69', async () => {
    const role = startRole(['target', '--config', targetFile], {
      SEAWEED_RDMA__TARGET__DIRS: '/nonexistent/dir',
    });
    expect((await role.line('start-failed'))['message']).toContain('/nonexistent/dir');
    expect((await role.ended)[0]).toBe(69);
  });
});

/** Lists volume 1 alone. */
async function volumeServer(): Promise<{ url: string; close(): Promise<void> }> {
  const row = { Id: 1, Size: 1, FileCount: 1, ModifiedAtSecond: 1 };
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ Volumes: [row] }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
