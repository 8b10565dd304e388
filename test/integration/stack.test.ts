/** Origins, targets and proxies as processes: several volume servers, an arena that is too small, a target that dies. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';

function bytesOf(needleId: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + Number(needleId)) % 253;
  return bytes;
}

/** Needles 1 to `count` of `length` bytes, in a directory of its own. */
function volumeFolder(volumeId: number, count: number, length: number): string {
  const dir = join(scratch.folder, `data-${volumeId}`);
  mkdirSync(dir);
  using volume = createVolume({ dir, volumeId });
  for (let id = 1n; id <= count; id += 1n) {
    volume.append({ needleId: id, cookie: 7, data: bytesOf(id, length), mime: 'a/b' });
  }
  return dir;
}

async function started(
  role: string,
  config: string,
): Promise<{ role: Role; bound: (key: string) => string }> {
  const file = scratch.write(`${role}-${Math.random()}.toml`, config);
  const running = startRole([role, '--config', file]);
  const ready = await running.ready();
  return { role: running, bound: (key) => String(ready[key]) };
}

async function startOrigin(dir: string): Promise<string> {
  const role = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
  return `http://${(await role.ready())['http']}`;
}

function startTarget(dir: string, upstream: string, port = 0): ReturnType<typeof started> {
  return started(
    'target',
    `[rdma]\nport = ${port}\nbuffer_size = "512MiB"\n[target]\ndirs = ["${dir}"]\nvolume_server_url = "${upstream}"\n${admin}`,
  );
}

/** Until the volume is served from the fabric. */
async function whenServed(url: string): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (answer.headers.get('x-rdma-source') === 'rdma') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} was never served from the fabric`);
}

async function sourceOf(url: string): Promise<string> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return `${answer.status} ${answer.headers.get('x-rdma-source')}`;
}

async function metric(adminAddress: string, name: string): Promise<number> {
  const text = await (await fetch(`http://${adminAddress}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

describe.skipIf(!loadBinding().hasUcx)(
  'a stack over UCX',
  () => {
    test('routes by the volumes that each target announces', async () => {
      const dirs = [volumeFolder(1, 3, 5000), volumeFolder(2, 3, 5000)];
      const origins = await Promise.all(dirs.map(startOrigin));
      const targets = await Promise.all(
        dirs.map((dir, index) => startTarget(dir, origins[index] as string)),
      );
      const servers = targets.map(
        ({ bound }, index) =>
          `[[seaweedfs.volume_server]]\nurl = "${origins[index]}"\ntarget = "${bound('rdma')}"\n`,
      );
      const proxy = await started(
        'proxy',
        `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n${servers.join('')}[memory]\nsize = "64MiB"\n${admin}`,
      );
      const base = `http://${proxy.bound('http')}`;
      for (const volumeId of [1, 2]) {
        const url = `${base}/${formatFid(volumeId, 2n, 7)}`;
        await whenServed(url);
        const answer = await fetch(url);
        expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytesOf(2n, 5000));
        expect(answer.headers.get('x-rdma-source')).toBe('cache');
      }
      expect(await sourceOf(`${base}/${formatFid(3, 1n, 7)}`)).toBe(
        '404 passthrough;reason=unknown-volume',
      );
      const status = (await (await fetch(`${base}/status`)).json()) as {
        Volumes: { Id: number }[];
      };
      expect(status.Volumes.map(({ Id }) => Id)).toEqual([1]);
    });

    test('64 reads of 4 MiB at once stay inside the arena, and one too small fails nobody', async () => {
      const length = 4 * 1024 * 1024;
      const dir = volumeFolder(5, 64, length);
      const origin = await startOrigin(dir);
      const target = await startTarget(dir, origin);
      for (const [arena, mayPass] of [
        ['512MiB', false],
        ['16MiB', true],
      ] as const) {
        const proxy = await started(
          'proxy',
          `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n[seaweedfs]\nvolume_server_url = "${origin}"\n[rdma]\ntarget = "${target.bound('rdma')}"\ntimeout = "30s"\n[memory]\nsize = "${arena}"\n[cache]\nsize = "0B"\n[limits]\nbytes_in_flight = "1GiB"\n${admin}`,
        );
        const base = `http://${proxy.bound('http')}`;
        await whenServed(`${base}/${formatFid(5, 1n, 7)}`);
        const ids = Array.from({ length: 64 }, (_, index) => BigInt(index + 1));
        const answers = await Promise.all(ids.map((id) => fetch(`${base}/${formatFid(5, id, 7)}`)));
        const sources = answers.map((answer) => answer.headers.get('x-rdma-source'));
        const bodies = await Promise.all(answers.map((answer) => answer.arrayBuffer()));
        for (const [index, body] of bodies.entries()) {
          expect(Buffer.from(body).equals(bytesOf(ids[index] as bigint, length))).toBe(true);
        }
        const allowed = mayPass ? ['rdma', 'passthrough;reason=no-slab'] : ['rdma'];
        expect([...new Set(sources)].filter((each) => !allowed.includes(String(each)))).toEqual([]);
        expect(sources.includes('rdma')).toBe(true);
        expect(sources.includes('passthrough;reason=no-slab')).toBe(mayPass);
        expect(await metric(proxy.bound('admin'), 'seaweed_rdma_leases_outstanding')).toBe(0);
        expect(await metric(proxy.bound('admin'), 'seaweed_rdma_lease_leaks_total')).toBe(0);
        expect(await proxy.role.stop()).toBe(0);
      }
    });

    test('a target that dies is passed by, refused in require mode, and used again when it is back', async () => {
      const dir = volumeFolder(6, 2, 3000);
      const origin = await startOrigin(dir);
      const target = await startTarget(dir, origin);
      const address = target.bound('rdma');
      const proxyOf = (mode: string): ReturnType<typeof started> =>
        started(
          'proxy',
          `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n[seaweedfs]\nvolume_server_url = "${origin}"\n[rdma]\nmode = "${mode}"\ntarget = "${address}"\n[memory]\nsize = "32MiB"\n${admin}`,
        );
      const [preferring, requiring] = await Promise.all([proxyOf('prefer'), proxyOf('require')]);
      const urls = [preferring, requiring].map(
        ({ bound }) => `http://${bound('http')}/${formatFid(6, 1n, 7)}`,
      ) as [string, string];
      await Promise.all(urls.map(whenServed));
      target.role.signal('SIGKILL');
      await target.role.ended;
      await Promise.all([preferring, requiring].map(({ role }) => role.line('target-down')));
      expect(await sourceOf(urls[0])).toBe('200 passthrough;reason=target-down');
      expect(await sourceOf(urls[1])).toMatch(/^503 /);
      expect((await fetch(`http://${requiring.bound('admin')}/readyz`)).status).toBe(503);
      expect((await fetch(`http://${preferring.bound('admin')}/readyz`)).status).toBe(200);

      await startTarget(dir, origin, Number(address.split(':').at(-1)));
      await Promise.all(urls.map(whenServed));
    });
  },
  120_000,
);
