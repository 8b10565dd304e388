/** Addresses that lead to a server of another kind, or to one that does not run: the doctor tells which. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { examine, planted, serve } from './doctor-rig.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const data = join(scratch.folder, 'data');

let origin: Role;
let target: Role;
let originUrl = '';
let targetAddress = '';
let targetAdmin = '';

function proxyFile(url: string, address: string): string {
  const text = `[http]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "${url}"
[rdma]
target = "${address}"
[memory]
size = "64MiB"
`;
  return scratch.write('proxy.toml', text);
}

beforeAll(async () => {
  mkdirSync(data);
  createVolume({ dir: data, volumeId: 1 })[Symbol.dispose]();
  origin = startRole(['origin', '--dir', data, '--listen', '127.0.0.1:0']);
  originUrl = `http://${String((await origin.line('ready'))['http'])}`;
  const file = `[rdma]\nport = 0\nbuffer_size = "32MiB"\n[target]\ndirs = ["${data}"]\nvolume_server_url = "${originUrl}"\n[admin]\nlisten = "127.0.0.1:0"\n`;
  target = startRole(['target', '--config', scratch.write('target.toml', file)]);
  const ready = await target.line('ready');
  targetAddress = String(ready['rdma']);
  targetAdmin = String(ready['admin']);
});

afterAll(async () => {
  expect(await target.stop()).toBe(0);
  expect(await origin.stop()).toBe(0);
});

describe('in the place of the target', () => {
  test('a target that is stopped accepts and says nothing', async () => {
    const ready = await target.line('ready');
    const pid = Number(ready['pid']);
    await target.freeze();
    try {
      const args = ['--config', proxyFile(originUrl, targetAddress), '--only', 'target'];
      const examined = await examine(args);
      expect(planted(examined, 'target-port', 'ok').summary).toContain('accepts connections');
      const { summary, fixes } = planted(examined, 'target-session');
      expect(summary).toContain(`the target there is stopped (pid ${pid})`);
      expect(fixes).toContain(`kill -CONT ${pid}`);
    } finally {
      target.signal('SIGCONT');
    }
  });

  test.each([
    ["the target's admin listener", () => targetAdmin, '(it answers HTTP)'],
    [
      'the volume server',
      () => originUrl.slice('http://'.length),
      'it answers HTTP, Server: SeaweedFS Volume',
    ],
  ])('%s is something else', async (_name, address, told) => {
    const args = ['--config', proxyFile(originUrl, address()), '--only', 'target'];
    const { summary, fixes } = planted(await examine(args), 'target-session');
    expect(summary).toContain('something else listens there');
    expect(summary).toContain(told);
    expect(fixes).toContain('set rdma.target');
  });
});

describe('in the place of the volume server', () => {
  /** As `weed` 4.44 answers GET /status and GET /0,000000000000. */
  test.each([
    ['a filer', 404, { Server: 'SeaweedFS 30GB 4.44' }, ''],
    [
      'an S3 gateway',
      404,
      { Server: 'SeaweedFS 30GB 4.44', 'Content-Type': 'application/xml' },
      '<Error><Code>NoSuchBucket</Code></Error>',
    ],
    [
      'a master',
      404,
      { 'Content-Type': 'application/json' },
      '{"error":"volume id 0 not found: volume id 0 not found"}',
    ],
  ] as const)('%s is told by doctor, log and /health', async (kind, status, headers, body) => {
    const url = await serve((_request, response) => response.writeHead(status, headers).end(body));
    const file = proxyFile(url, targetAddress);
    const examined = await examine(['--config', file, '--only', 'volume-server']);
    const { summary, fixes } = planted(examined, 'volume-server');
    expect(summary).toContain(`this is ${kind}, not a volume server`);
    expect(fixes).toContain('set seaweedfs.volume_server_url to the volume server');

    const proxy = startRole(['proxy', '--config', file]);
    const told = await proxy.line('upstream-down');
    expect(told['detail']).toContain(`this is ${kind}, not a volume server`);
    expect(told['message']).toContain('another server');
    const { admin } = await proxy.line('ready');
    const health = await fetch(`http://${String(admin)}/health`);
    const { checks } = (await health.json()) as { checks: Record<string, object> };
    expect(checks[`upstream ${url}`]).toMatchObject({
      status: 'degraded',
      detail: `this is ${kind}, not a volume server: set volume_server_url to the volume server's HTTP address (weed volume -ip and -port, 8080 by default)`,
    });
    expect(await proxy.stop()).toBe(0);
  });

  test('the admin listener of a target', async () => {
    const file = proxyFile(`http://${targetAdmin}`, targetAddress);
    const found = planted(
      await examine(['--config', file, '--only', 'volume-server']),
      'volume-server',
    );
    expect(found.summary).toContain('this is an admin listener of seaweed-rdma');
  });

  test('another proxy is a warning: it answers, and costs a hop', async () => {
    const proxy = startRole(['proxy', '--config', proxyFile(originUrl, targetAddress)]);
    const { http } = await proxy.line('ready');
    const file = proxyFile(`http://${String(http)}`, targetAddress);
    const examined = await examine(['--config', file, '--only', 'volume-server']);
    const { summary, fixes } = planted(examined, 'volume-server', 'warn');
    expect(summary).toContain('this is a seaweed-rdma proxy, not the volume server');
    expect(fixes).toContain('set seaweedfs.volume_server_url');
    expect(await proxy.stop()).toBe(0);
  });

  test('a target that asks a filer says so, and confirms nothing', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(404, { Server: 'SeaweedFS 30GB 4.44' }).end();
    });
    const file = `[rdma]\nport = 0\nbuffer_size = "32MiB"\n[target]\ndirs = ["${data}"]\nvolume_server_url = "${url}"\n[admin]\nlisten = "127.0.0.1:0"\n`;
    const role = startRole(['target', '--config', scratch.write('filer.toml', file)]);
    expect((await role.line('unconfirmed'))['detail']).toContain(
      'this is a filer, not a volume server: set volume_server_url',
    );
    expect(await role.stop()).toBe(0);
  });
});
