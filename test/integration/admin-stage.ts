/** A volume server and a proxy in the test's process, as the admin API's tests need them. */

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll } from 'vitest';
import { startOrigin } from '../../src/origin/origin-server.ts';
import { type RunningProxy, startProxy } from '../../src/proxy/proxy.ts';
import type { ProxyOptions } from '../../src/proxy/proxy-options.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { adminPlace } from './admin-place.ts';
import { generousLimits } from './http-front-fixture.ts';

export const volumeId = 3;
export const cookie = 0x5eed_c0de;
export const mebibyte: number = 1024 * 1024;
/** Longer than the arena: a read of it falls back with `no-slab`. */
export const largeNeedleId = 99n;
const arenaBytes = 4 * mebibyte;

export interface AdminStage {
  readonly proxy: RunningProxy;
  /** Of the HTTP listener and of the admin listener. */
  readonly http: string;
  readonly admin: string;
  close(): Promise<void>;
}

export function bytesOf(needleId: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + Number(needleId)) % 253;
  return bytes;
}

export function fid(needleId: bigint): string {
  return formatFid(volumeId, needleId, cookie);
}

/** Needles 1 to `count` of `length` bytes each, and the large one. */
export function fillVolume(dir: string, count: number, length: number): void {
  using volume = createVolume({ dir, volumeId });
  for (let id = 1n; id <= count; id += 1n) {
    volume.append({ needleId: id, cookie, data: bytesOf(id, length), mime: 'image/x-test' });
  }
  volume.append({ needleId: largeNeedleId, cookie, data: bytesOf(99n, 2 * arenaBytes) });
}

const stages: AdminStage[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
});

export interface StageOptions {
  readonly readKey?: string;
  readonly listen?: ProxyOptions['http']['listen'];
}

/** With the volumes of `dir`; serving. */
export async function startStage(
  dir: string,
  admin: Partial<ProxyOptions['admin']> = {},
  { readKey, listen }: StageOptions = {},
): Promise<AdminStage> {
  const origin = await startOrigin({
    dirs: [dir],
    listen: { host: '127.0.0.1', port: 0 },
    logger: { info: () => undefined },
  });
  const options = proxyOptions(dir, origin.url, admin, listen);
  const proxy = await startProxy({ ...options, readKey: () => readKey }, pino({ level: 'silent' }));
  const stage = {
    proxy,
    http: `http://${proxy.address}`,
    admin: `http://${proxy.adminAddress}`,
    async close(): Promise<void> {
      await proxy.close(0);
      await origin.close();
    },
  };
  stages.push(stage);
  await whenConfirmed(proxy);
  return stage;
}

/** Resolves when the one volume of a proxy is served. */
export async function whenConfirmed(proxy: RunningProxy): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const [target] = proxy.status().targets;
    if (target?.volumesConfirmed === 1 && target.server !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the volume was never served');
}

function packageVersion(): string {
  const file = join(import.meta.dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** A small one beside the volume server at `url`. */
export function proxyOptions(
  dir: string,
  url: string,
  admin: Partial<ProxyOptions['admin']>,
  listen: ProxyOptions['http']['listen'] = { host: '127.0.0.1', port: 0 },
): ProxyOptions {
  return {
    version: packageVersion(),
    http: {
      listen,
      lane: true,
      lanes: 0,
      laneAskersMin: 1,
      onCorrupt: 'pass',
      debugHeaders: false,
      limits: generousLimits,
    },
    volumeServers: [{ url, target: undefined }],
    readKey: () => undefined,
    rdma: {
      mode: 'prefer',
      transport: 'inproc',
      deviceName: 'auto',
      tls: 'auto',
      isNetworkTrusted: false,
      isTlsOff: false,
      timeoutMs: 5_000,
      connectTimeoutMs: 1_000,
      secret: '',
      dirs: [dir],
      handshakeTimeoutMs: 5_000,
      pendingPerAddressMax: 64,
      simulatedLatencyMs: 0,
    },
    cache: {
      bytesMax: arenaBytes / 2,
      decodedBytesMax: mebibyte,
      policyOf: () => ({ consistency: 'strict', leaseMs: 1_000 }),
    },
    memory: { bytes: arenaBytes, hugepages: 'off' },
    needleBytesMax: 64 * mebibyte,
    decodedBytesMax: 64 * mebibyte,
    decodingBytesMax: 128 * mebibyte,
    requestsInFlightMax: 64,
    descriptorLimit: 1_024,
    admin: { ...adminPlace, ...admin },
  };
}

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** With any header, Host and Origin too, which fetch does not let one choose. */
export function ask(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const options = { method, headers: { ...type, ...headers } };
    const asked = request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      const { statusCode: status = 0, headers: answered } = answer;
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      answer.on('end', () => {
        resolve({ status, headers: answered, body: Buffer.concat(chunks) });
      });
    });
    asked.on('error', reject).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

export function parsed<T>({ body }: Asked): T {
  return JSON.parse(body.toString('utf8')) as T;
}
