/**
 * Memory honesty: slow readers, aborted downloads and idle connections leave the arena to others, and when all is quiet
 * nothing is held but what the cache holds.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { formatFid } from '../../src/rdma/volume-files.ts';
import { KeepAliveClient } from '../history/keep-alive-client.ts';
import { type Stack, startStack, type Transport } from '../history/roles.ts';
import { startVolumeServer, type TestVolumeServer } from '../history/volume-server.ts';
import { scratchFolder } from './scratch.ts';
import { stuckReader } from './stuck-reader.ts';

const volumeId = 3;
const cookie = 1;
const mebibyte = 1024 * 1024;
const smallBytes = 4096;
const largeBytes = 4 * mebibyte;
/** More than the kernel takes off the proxy's hands. */
const hugeBytes = 16 * mebibyte;
const hugeId = 2001n;
const smallIds = Array.from({ length: 200 }, (_, index) => BigInt(index + 1));
const largeIds = Array.from({ length: 6 }, (_, index) => BigInt(index + 1001));

const transport: Transport = loadBinding().hasUcx ? 'ucx' : 'inproc';
const scratch = scratchFolder();

let server: TestVolumeServer | undefined;
let stack: Stack | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  const codes = await stack?.stop();
  await server?.close();
  expect(codes?.every((code) => code === 0)).toBe(true);
});

function bytesOf(needleId: bigint, length: number): Buffer {
  return Buffer.alloc(length, `needle ${needleId}, `);
}

async function start(name: string, proxyToml: string): Promise<Stack> {
  const dir = join(scratch.folder, name);
  mkdirSync(dir);
  server = await startVolumeServer({ dirs: [dir], volumeIds: [volumeId] });
  for (const id of smallIds) server.put(volumeId, id, bytesOf(id, smallBytes), { mime: 'a/b' });
  for (const id of largeIds) server.put(volumeId, id, bytesOf(id, largeBytes), { mime: 'a/b' });
  const folder = join(scratch.folder, `${name}-roles`);
  server.put(volumeId, hugeId, bytesOf(hugeId, hugeBytes), { mime: 'a/b' });
  stack = await startStack({
    transport,
    folder,
    servers: [{ url: server.url, dirs: [dir] }],
    proxyToml,
  });
  await served(stack);
  return stack;
}

const pathOf = (needleId: bigint): string => `/${formatFid(volumeId, needleId, cookie)}`;

async function served({ port }: Stack): Promise<void> {
  const client = new KeepAliveClient(port);
  const source = async (): Promise<string | undefined> => {
    const { headers } = await client.request({ method: 'GET', path: pathOf(1n) });
    return headers.get('x-rdma-source');
  };
  await expect.poll(source, { timeout: 10_000 }).toBe('cache');
  client.close();
}

async function stuck(port: number, needleId: bigint): Promise<Socket> {
  const socket = await stuckReader(port, pathOf(needleId));
  sockets.push(socket);
  return socket;
}

/** Slabs that are held beside the cache's own: in the arena, and of needles that have left the cache. */
async function heldByAnswers({ metric }: Stack): Promise<number> {
  const leases = await metric('seaweed_rdma_leases_outstanding');
  const left = await metric('seaweed_rdma_cache_slabs');
  return leases + left - (await metric('seaweed_rdma_cache_needles{form="stored"}'));
}

async function quiet(running: Stack): Promise<void> {
  const { metric } = running;
  const bytesInFlight = () => metric('seaweed_rdma_in_flight_bytes');
  await expect.poll(bytesInFlight, { timeout: 15_000 }).toBe(0);
  await expect.poll(() => heldByAnswers(running), { timeout: 15_000 }).toBe(0);
  expect(await metric('seaweed_rdma_lease_leaks_total')).toBe(0);
}

async function readAll(port: number, ids: readonly bigint[], bytes: number): Promise<Set<string>> {
  const client = new KeepAliveClient(port);
  const sources = new Set<string>();
  for (const id of ids) {
    const { status, headers, body } = await client.request({ method: 'GET', path: pathOf(id) });
    expect(status).toBe(200);
    expect(body.equals(bytesOf(id, bytes))).toBe(true);
    sources.add(String(headers.get('x-rdma-source')));
  }
  client.close();
  return sources;
}

const small = `[memory]\nsize = "64MiB"\n[cache]\nsize = "24MiB"\n[limits]\nbytes_in_flight = "24MiB"\nconnection_bytes = "8MiB"\nidle_timeout = "2s"\n`;

describe('the arena', { timeout: 60_000 }, () => {
  it('serves others while sixty clients do not read, and has all back when they are gone', async () => {
    const running = await start('stuck', small);
    const { port } = running;
    for (let i = 0; i < 60; i += 1) await stuck(port, largeIds[i % 6] as bigint);
    const during = await readAll(port, smallIds, smallBytes);
    during.delete('cache');
    during.delete('rdma');
    during.delete('passthrough;reason=overload');
    expect([...during]).toEqual([]);
    await quiet(running);
    await readAll(port, smallIds, smallBytes);
    expect(await readAll(port, smallIds, smallBytes)).toEqual(new Set(['cache']));
  });

  it('has the slab of a needle that was overwritten back before its slow reader has all of it', async () => {
    const running = await start('slow', small.replace('8MiB', '24MiB'));
    const id = hugeId;
    const socket = await stuck(running.port, id);
    await once(socket, 'readable');
    const chunks = [socket.read() as Buffer];
    server?.put(volumeId, id, bytesOf(id + 1n, hugeBytes), { mime: 'a/b' });
    const client = new KeepAliveClient(running.port);
    const { body: fresh } = await client.request({ method: 'GET', path: pathOf(id) });
    expect(fresh.equals(bytesOf(id + 1n, hugeBytes))).toBe(true);
    client.close();
    expect(await heldByAnswers(running)).toBe(1);

    await pause(400);
    for (let turn = 0; (await heldByAnswers(running)) > 0; turn += 1) {
      expect(turn).toBeLessThan(20);
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) chunks.push(chunk);
    }
    const headBytes = Buffer.concat(chunks).indexOf('\r\n\r\n') + 4;
    let bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    expect(bytes).toBeLessThan(headBytes + hugeBytes);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
    });
    await expect.poll(() => bytes, { timeout: 5_000 }).toBe(headBytes + hugeBytes);
    const body = Buffer.concat(chunks).subarray(headBytes);
    expect(body.equals(bytesOf(id, hugeBytes))).toBe(true);
  });

  it('has every slab back after downloads that were cut off', async () => {
    const running = await start('aborted', small);
    // More than the kernel takes of an answer: it is cut midway.
    for (let round = 0; round < 20; round += 1) {
      const cut = await Promise.all(Array.from({ length: 4 }, () => stuck(running.port, hugeId)));
      for (const [index, socket] of cut.entries()) {
        if (index % 2 === 0) await once(socket, 'readable');
        socket.destroy();
      }
    }
    await quiet(running);
    expect(await readAll(running.port, largeIds, largeBytes)).not.toContain(
      'passthrough;reason=no-slab',
    );
  });

  it('holds nothing for ten thousand idle connections', async () => {
    const running = await start('idle', `${small}connections = 12000\n`.replace('2s', '60s'));
    const { port } = running;
    const asked = `GET ${pathOf(7n)} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const count = 10_000;
    for (let from = 0; from < count; from += 250) {
      await Promise.all(
        Array.from({ length: 250 }, async () => {
          const socket = connect({ host: '127.0.0.1', port });
          sockets.push(socket);
          await once(socket, 'connect');
          socket.write(asked);
          let bytes = 0;
          while (bytes < smallBytes) {
            const [chunk] = (await once(socket, 'data')) as [Buffer];
            bytes += chunk.length;
          }
        }),
      );
    }
    expect(await running.metric('seaweed_rdma_connections')).toBe(count);
    await quiet(running);
    expect(await running.metric('seaweed_rdma_arena_bytes{state="leased"}')).toBeLessThan(mebibyte);
    expect(await readAll(port, [7n], smallBytes)).toEqual(new Set(['cache']));
  });

  it('is only the cache`s after a soak of everything at once', async () => {
    const running = await start('soak', small);
    const { port } = running;
    const hits = (): Promise<number> => running.metric('seaweed_rdma_cache_hits_total');
    let isDone = false;
    const isOn = (): boolean => !isDone;
    // A busy machine needs longer for as much.
    const long = (async () => {
      try {
        await pause(6_000);
        await expect.poll(hits, { timeout: 24_000, interval: 500 }).toBeGreaterThan(1_000);
      } finally {
        isDone = true;
      }
    })();
    const readers = Array.from({ length: 8 }, async (_, reader) => {
      const client = new KeepAliveClient(port);
      for (let i = reader; isOn(); i += 1) {
        const id = smallIds[(i * 7) % smallIds.length] as bigint;
        const headers = i % 3 === 0 ? { Range: `bytes=${i % 100}-${(i % 100) + 50}` } : {};
        const method = i % 5 === 0 ? 'HEAD' : 'GET';
        await client.request({ method, path: pathOf(id), headers });
      }
      client.close();
    });
    const large = Array.from({ length: 2 }, async (_, reader) => {
      const client = new KeepAliveClient(port);
      for (let i = reader; isOn(); i += 1) {
        const id = largeIds[i % largeIds.length] as bigint;
        const { body } = await client.request({ method: 'GET', path: pathOf(id) });
        expect(body.equals(bytesOf(id, largeBytes))).toBe(true);
      }
      client.close();
    });
    const cutters = Array.from({ length: 2 }, async () => {
      for (let i = 0; isOn(); i += 1) {
        const socket = await stuck(port, largeIds[i % largeIds.length] as bigint);
        await pause(i % 20);
        socket.destroy();
      }
    });
    const writer = (async () => {
      const client = new KeepAliveClient(port);
      for (let i = 0; isOn(); i += 1) {
        const id = smallIds[i % smallIds.length] as bigint;
        server?.put(volumeId, id, bytesOf(id, smallBytes), { mime: 'a/b' });
        if (i % 50 === 0) server?.volumes.get(volumeId)?.vacuum();
        await pause(5);
      }
      client.close();
    })();
    await Promise.all([long, ...readers, ...large, ...cutters, writer]);
    await quiet(running);
    expect(await hits()).toBeGreaterThan(1_000);
  });
});
