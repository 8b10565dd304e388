/** Two real volume servers behind one proxy, in each of their read modes, where `WEED_BIN` names a weed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { type AssignedFid, type ClusterServer, WeedCluster } from './weed-cluster.ts';

const weed = process.env['WEED_BIN'] ?? '';
const scratch = scratchFolder();
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';
const local = 'device_name = "lo"\ntls = "tcp,posix,sysv,cma,self"\n';

const roles: Role[] = [];

async function started(role: string, config: string): Promise<[Role, Record<string, unknown>]> {
  const running = startRole([role, '--config', scratch.write(`${Math.random()}.toml`, config)]);
  roles.push(running);
  return [running, await running.ready()];
}

async function startTarget({ url, dir }: ClusterServer): Promise<[Role, string]> {
  const [role, bound] = await started(
    'target',
    `[rdma]\nport = 0\nbuffer_size = "64MiB"\n${local}[target]\ndirs = ["${dir}"]\nvolume_server_url = "${url}"\nconfirm_every = "200ms"\n${admin}`,
  );
  return [role, String(bound['rdma'])];
}

/** `targets`: one address for each server, '' where there is none. */
async function startProxy(
  servers: readonly ClusterServer[],
  targets: readonly string[],
  mode = 'prefer',
): Promise<[Role, string]> {
  const listed = servers.map(
    ({ url }, index) =>
      `[[seaweedfs.volume_server]]\nurl = "${url}"\ntarget = "${targets[index]}"\n`,
  );
  const [role, bound] = await started(
    'proxy',
    `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n${listed.join('')}[rdma]\nmode = "${mode}"\n${local}[cache]\nsize = "0B"\n[memory]\nsize = "32MiB"\n[limits]\nupstream_timeout = "2s"\n${admin}`,
  );
  return [role, `http://${bound['http']}`];
}

async function ask(url: string, options: RequestInit = {}): Promise<string> {
  const answer = await fetch(url, { redirect: 'manual', ...options });
  const text = await answer.text();
  const source = answer.headers.get('x-rdma-source') ?? '-';
  return `${answer.status} ${source}${answer.status === 200 ? ` ${text}` : ''}`;
}

function form(text: string): RequestInit {
  const body = new FormData();
  body.set('file', new Blob([text]), 'a.bin');
  return { method: 'POST', body };
}

async function until(url: string, expected: string): Promise<void> {
  let last = '';
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    last = await ask(url);
    if (last === expected) return;
    await pause(50);
  }
  throw new Error(`${url}: ${last}, and not ${expected}`);
}

describe.skipIf(weed === '' || !loadBinding().hasUcx).each(['local', 'proxy', 'redirect'])(
  'real volume servers with -readMode=%s',
  (readMode) => {
    const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-owners-'));
    const cluster = new WeedCluster(weed, folder);
    let servers: readonly [ClusterServer, ClusterServer];
    let coded: AssignedFid;
    let count = 0;

    beforeAll(async () => {
      await cluster.start();
      const second = await cluster.addServer(1, readMode);
      // Encoded while the second is alone, so that it has every shard.
      coded = await cluster.assign(1, 'coded');
      await fetch(second.url + coded.path, form('coded'));
      cluster.shell(`ec.encode -volumeId=${coded.volumeId} -collection=coded -force`);
      servers = [await cluster.addServer(0, readMode), second];
    }, 120_000);

    afterEach(() => {
      for (const role of roles.splice(0)) role.signal('SIGKILL');
    });

    afterAll(async () => {
      await cluster.stop();
      rmSync(folder, { recursive: true });
    });

    /** A needle on the second server, in a volume that nobody has heard of yet. */
    async function written(http: string, text: string): Promise<AssignedFid> {
      count += 1;
      const fid = await cluster.assign(1, `c${count}`);
      expect(await ask(http + fid.path, form(text))).toBe('201 passthrough;reason=method');
      expect(await ask(servers[1].url + fid.path)).toBe(`200 - ${text}`);
      return fid;
    }

    test('without targets a volume of the second is written, read and deleted there', async () => {
      const [, http] = await startProxy(servers, ['', '']);
      const { path } = await written(http, 'one');
      expect(await ask(http + path)).toBe('200 passthrough;reason=off one');
      expect(await ask(http + path, { method: 'DELETE' })).toBe('202 passthrough;reason=method');
      expect(await ask(servers[1].url + path)).toMatch(/^404 /);
      expect(await ask(http + path)).toBe('404 passthrough;reason=off');
    });

    test('an erasure coded volume is read where its shards are', async () => {
      const [, http] = await startProxy(servers, ['', '']);
      expect(await ask(http + coded.path)).toBe('200 passthrough;reason=off coded');
    });

    test.each(['prefer', 'require'])('a target that is down, in mode %s', async (mode) => {
      const [, first] = await startTarget(servers[0]);
      const [target, second] = await startTarget(servers[1]);
      const [role, http] = await startProxy(servers, [first, second], mode);
      const { path } = await written(http, 'two');
      await until(http + path, '200 rdma two');
      target.signal('SIGKILL');
      await role.line('target-down');
      expect(await ask(http + path)).toBe(
        mode === 'require' ? '503 -' : '200 passthrough;reason=target-down two',
      );
      expect(await ask(http + path, { method: 'DELETE' })).toBe('202 passthrough;reason=method');
      expect(await ask(servers[1].url + path)).toMatch(/^404 /);
    });

    test('the second server hangs, then dies: 504, then 502, and nothing from the first', async () => {
      const [, first] = await startTarget(servers[0]);
      const [, http] = await startProxy(servers, [first, '']);
      const { path } = await written(http, 'three');
      servers[1].signal('SIGSTOP');
      expect(await ask(http + path)).toBe('504 -');
      await servers[1].kill();
      expect(await ask(http + path)).toBe('502 -');
      expect(await ask(http + path, { method: 'DELETE' })).toBe('502 -');
    });
  },
  60_000,
);
