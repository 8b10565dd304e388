/**
 * A real volume server's volumes that change while needles of them are cached and read, where `WEED_BIN` names one: what
 * changing-volumes.test.ts asks of the test's own writer, as far as a real one can be made to do it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { KeepAliveClient } from '../history/keep-alive-client.ts';
import { type Stack, startStack } from '../history/roles.ts';
import type { TrackedNeedle } from '../history/tracked-needle.ts';
import { expectSound, seenAfter, transports, WatchedVolume } from './changing-volumes-fixture.ts';
import { crc32c } from './crc32c.ts';

const weed = process.env['WEED_BIN'] ?? '';

describe.skipIf(weed === '')('of a real volume server’s volume', () => {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-weed-'));
  const opened: WatchedVolume[] = [];
  let server: ChildProcess;
  let ports: readonly [master: number, masterGrpc: number, volume: number, volumeGrpc: number];
  let client: KeepAliveClient;
  let stack: Stack;

  beforeAll(async () => {
    ports = (await freePorts(4)) as [number, number, number, number];
    const dir = join(folder, 'data');
    mkdirSync(dir);
    server = startServer(dir, ports);
    await until('the volume server', () => isOk(`http://127.0.0.1:${ports[0]}/vol/grow?count=3`));
    client = new KeepAliveClient(ports[2]);
    stack = await startStack({
      transport: transports.at(-1) ?? 'inproc',
      folder,
      servers: [{ url: `http://127.0.0.1:${ports[2]}`, dirs: [dir] }],
    });
  });

  afterAll(async () => {
    for (const volume of opened) volume.close();
    client?.close();
    await stack?.stop();
    const ended = once(server, 'close');
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  });

  async function filledVolume(volumeId: number, mayGoBack = false): Promise<WatchedVolume> {
    const volume = new WatchedVolume({ proxyPort: stack.port, volumeId, needles: 5, mayGoBack });
    opened.push(volume);
    for (const needle of volume.needles) await write(needle);
    return volume;
  }

  async function write(needle: TrackedNeedle): Promise<void> {
    const { version, data } = needle.beginWrite(performance.now(), Math.random);
    const etag = crc32c(data).toString(16).padStart(8, '0');
    needle.wrote(`"${etag}"`);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const answer = await client.request({ method: 'POST', path: needle.path, headers, body: data });
    needle.acknowledge(version, performance.now());
    // 204: those are the bytes that it has already.
    if (answer.status === 204) return;
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ eTag: etag });
  }

  async function remove(needle: TrackedNeedle): Promise<void> {
    const version = needle.beginDelete(performance.now());
    const answer = await client.request({ method: 'DELETE', path: needle.path });
    needle.acknowledge(version, performance.now());
    expect(answer.status).toBe(202);
  }

  /** Of every volume with garbage. */
  async function vacuum(): Promise<void> {
    const url = `http://127.0.0.1:${ports[0]}/vol/vacuum?garbageThreshold=0.0001`;
    expect(await isOk(url)).toBe(true);
  }

  async function untilVacuumed(isReplaced: () => boolean): Promise<void> {
    const deadline = performance.now() + 40_000;
    while (!isReplaced() && performance.now() < deadline) await vacuum();
  }

  async function shell(command: string): Promise<void> {
    const child = spawn(weed, ['shell', `-master=127.0.0.1:${ports[0]}.${ports[1]}`], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.end(`lock\n${command} -node 127.0.0.1:${ports[2]}.${ports[3]}\nunlock\n`);
    await once(child, 'close');
  }

  test('a needle that is overwritten or deleted is so from the next read on', async () => {
    const volume = await filledVolume(1);
    const watch = await volume.whileRead(async () => {
      await write(volume.needle(0));
      await remove(volume.needle(1));
    });
    expectSound(watch);
    expect(seenAfter(watch, volume.needle(0))).toEqual(new Set(['content']));
    expect(seenAfter(watch, volume.needle(1))).toEqual(new Set(['absent']));
    const read = await volume.until(volume.needle(0), ({ source }) => source === 'cache');
    expect(read.seen).toEqual({ kind: 'content', versions: [2] });
  });

  test('each change before, during and after a vacuum is seen', async () => {
    const volume = await filledVolume(2);
    const idx = join(folder, 'data', '2.idx');
    const { ino } = statSync(idx);
    const isReplaced = (): boolean =>
      (statSync(idx, { throwIfNoEntry: false })?.ino ?? ino) !== ino;
    const watch = await volume.whileRead(async () => {
      let isOver = false;
      // The master passes over a volume without garbage, and one whose commit fails under writes is left as it was.
      for (const needle of volume.needles) await write(needle);
      const vacuumed = untilVacuumed(isReplaced).finally(() => {
        isOver = true;
      });
      for (let i = 0; !isOver; i += 1) {
        for (const needle of volume.needles) {
          if (needle.isAlive && i % 3 === 1) await remove(needle);
          else await write(needle);
          expect((await volume.read(needle)).violation).toBeUndefined();
        }
      }
      await vacuumed;
    });
    expectSound(watch);
    expect(isReplaced()).toBe(true);
    await write(volume.needle(0));
    await volume.until(volume.needle(0), ({ source }) => source === 'cache');
  }, 90_000);

  test('that is unmounted, nothing is served two intervals later, and all of it when it is back', async () => {
    const volume = await filledVolume(3, true);
    const watch = await volume.whileRead(async () => {
      const versions = volume.needles.map((needle) => needle.beginDelete(performance.now()));
      await shell('volume.unmount -volumeId 3');
      const seenFrom = performance.now() + 2 * stack.confirmEveryMs;
      for (const [index, needle] of volume.needles.entries()) {
        needle.acknowledge(versions[index] as number, seenFrom);
      }
      await pause(2 * stack.confirmEveryMs);
    });
    expectSound(watch);
    expect(new Set(watch.after.map(({ source }) => source))).toEqual(new Set(['passthrough']));
    expect(seenAfter(watch, volume.needle(0))).toEqual(new Set(['absent']));
    await shell('volume.mount -volumeId 3');
    await write(volume.needle(0));
    const back = await volume.until(volume.needle(0), ({ source }) => source === 'cache');
    expect(back.seen).toMatchObject({ kind: 'content', versions: [3] });
  }, 60_000);
});

function startServer(dir: string, ports: readonly number[]): ChildProcess {
  const [master, masterGrpc, volume, volumeGrpc] = ports;
  const args = [
    'server',
    '-ip=127.0.0.1',
    '-ip.bind=127.0.0.1',
    `-dir=${dir}`,
    '-volume.max=3',
    `-master.port=${master}`,
    `-master.port.grpc=${masterGrpc}`,
    '-master.volumeSizeLimitMB=64',
    `-volume.port=${volume}`,
    `-volume.port.grpc=${volumeGrpc}`,
    '-volume.preStopSeconds=0',
  ];
  return spawn(weed, args, { stdio: 'ignore', cwd: dir, env: { ...process.env, HOME: dir } });
}

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited 40 s for ${what}`);
    await pause(200);
  }
}
