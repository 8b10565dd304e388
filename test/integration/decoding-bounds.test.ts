/**
 * Needles of some KiB that inflate to tens of MiB, asked for by clients that take no gzip and read slowly: memory stays
 * within what is configured, others are answered, and all of it is given back.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { formatFid } from '../../src/rdma/volume-files.ts';
import { freePorts } from '../free-ports.ts';
import { KeepAliveClient } from '../history/keep-alive-client.ts';
import { type Stack, startStack, type Transport } from '../history/roles.ts';
import { startVolumeServer, type TestVolumeServer } from '../history/volume-server.ts';
import { scratchFolder } from './scratch.ts';
import { stuckReader } from './stuck-reader.ts';

const volumeId = 3;
const cookie = 1;
const mebibyte = 1_048_576;
const decodedMebibytes = 48;
/** In a thread of its own, as this one is the volume server that decodes what is passed. Tells the longest wait for /livez. */
const watcher = `
const { parentPort, workerData } = require('node:worker_threads');
let slowestMs = 0;
const timer = setInterval(async () => {
  const beganMs = performance.now();
  const answer = await fetch(workerData + '/livez').catch(() => undefined);
  await answer?.text();
  slowestMs = Math.max(slowestMs, answer?.ok ? performance.now() - beganMs : 60_000);
}, 50);
parentPort.on('message', () => { clearInterval(timer); parentPort.postMessage(slowestMs); parentPort.close(); });
`;
const bombIds = Array.from({ length: 24 }, (_, index) => BigInt(index + 100));
const smallId = 1n;
const transport: Transport = loadBinding().hasUcx ? 'ucx' : 'inproc';
const scratch = scratchFolder();
const pathOf = (needleId: bigint): string => `/${formatFid(volumeId, needleId, cookie)}`;

let server: TestVolumeServer | undefined;
let stack: Stack | undefined;
let sidecarPort: number | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await stack?.stop();
  await server?.close();
});

async function start(): Promise<Stack> {
  const dir = join(scratch.folder, 'data');
  mkdirSync(dir);
  server = await startVolumeServer({ dirs: [dir], volumeIds: [volumeId] });
  server.put(volumeId, smallId, Buffer.alloc(4096, 'small'), { mime: 'a/b' });
  const bomb = gzipSync(Buffer.alloc(decodedMebibytes * mebibyte, 'a'));
  for (const id of bombIds) server.put(volumeId, id, bomb, { mime: 'a/b', compressed: true });
  [sidecarPort] = await freePorts(1);
  stack = await startStack({
    transport,
    folder: join(scratch.folder, 'roles'),
    servers: [{ url: server.url, dirs: [dir] }],
    proxyToml:
      '[memory]\nsize = "64MiB"\n[cache]\nsize = "24MiB"\ndecoded_size = "64MiB"\n[limits]\ndecoding_bytes = "128MiB"\n' +
      `[sidecar]\nlisten = "127.0.0.1:${sidecarPort}"\n`,
  });
  const client = new KeepAliveClient(stack.port);
  const source = async (): Promise<string | undefined> =>
    (await client.request({ method: 'GET', path: pathOf(smallId) })).headers.get('x-rdma-source');
  await expect.poll(source, { timeout: 10_000 }).toBe('cache');
  client.close();
  return stack;
}

async function stuck(port: number, needleId: bigint): Promise<void> {
  sockets.push(await stuckReader(port, pathOf(needleId)));
}

it('hold while many clients ask for many such needles, and while they ask for one', {
  timeout: 60_000,
}, async () => {
  const { port, adminUrl, metric } = await start();
  const watching = new Worker(watcher, { eval: true, workerData: adminUrl });
  const resident = (): Promise<number> => metric('process_resident_memory_bytes');
  const before = await resident();
  let peak = 0;
  for (const id of bombIds) await stuck(port, id);
  for (let i = 0; i < 36; i += 1) await stuck(port, bombIds[0] as bigint);
  for (let i = 0; i < 20; i += 1) {
    peak = Math.max(peak, await resident());
    await pause(50);
  }
  watching.postMessage('end');
  const [slowestMs] = await once(watching, 'message');
  expect(await metric('seaweed_rdma_decoding_bytes')).toBeLessThanOrEqual(128 * mebibyte);
  expect(await metric('seaweed_rdma_decoding_refused_total')).toBeGreaterThan(0);
  // The cache's decoded forms and the room; sockets and what is passed hold some MiB more.
  expect((peak - before) / mebibyte).toBeLessThan(64 + 128 + 160);
  // Of a machine that decodes as well as it can; it was most of four seconds.
  expect(slowestMs).toBeLessThan(2_500);

  // A part, and the length alone, are told in passing, where the needle is not decoded yet.
  const client = new KeepAliveClient(port);
  const last = pathOf(bombIds.at(-1) as bigint);
  // This thread is the volume server, and was too busy to confirm the volume.
  const part = async (): Promise<unknown> => {
    const headers = { Range: 'bytes=50000000-50000000' };
    const answer = await client.request({ method: 'GET', path: last, headers });
    const source = answer.headers.get('x-rdma-source') ?? '';
    return [answer.status, String(answer.body), source.replace('cache', 'rdma')];
  };
  await expect.poll(part, { timeout: 20_000 }).toEqual([206, 'a', 'rdma']);
  const head = await client.request({ method: 'HEAD', path: last });
  expect(head.headers.get('content-length')).toBe(String(decodedMebibytes * mebibyte));
  client.close();
  const ofMount = bombIds.map(async (id) => {
    const asked = `file_id=${pathOf(id).slice(1)}&offset=7&size=1`;
    const answer = await fetch(`http://127.0.0.1:${sidecarPort}/read?${asked}`);
    return [answer.status, await answer.text()];
  });
  expect(await Promise.all(ofMount)).toEqual(bombIds.map(() => [200, 'a']));
  expect(((await resident()) - before) / mebibyte).toBeLessThan(64 + 128 + 160);

  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(() => metric('seaweed_rdma_decoding_bytes'), { timeout: 10_000 }).toBe(0);
  await expect
    .poll(async () => ((await resident()) - before) / mebibyte, { timeout: 15_000 })
    .toBeLessThan(64 + 96);
});
