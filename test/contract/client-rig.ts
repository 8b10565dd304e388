/** Volumes, and the ways in which the typed client reads them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/client/connect.ts';
import type { ConnectOptions } from '../../src/client/connect-options.ts';
import type { NeedleClient } from '../../src/client/needle-client.ts';
import { startTargetHost, type TargetHost } from '../../src/rdma/target-host.ts';
import { type Fields, SampleVolume } from './sample-volume.ts';

export const volumeId = 3;
export const mebibyte: number = 1024 * 1024;
export const secret = 'of the client’s tests';
export const tcp = 'tcp,self';
export const sharedMemory = 'tcp,posix,sysv,cma,self';

/** Bytes that differ from position to position, and from seed to seed. */
export function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 7 + (i >> 8) + seed) & 0xff;
  return bytes;
}

/** A directory with one volume; every needle's cookie is 1. */
export class VolumeFolder {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'seaweed-rdma-client-'));
  readonly volume: SampleVolume;

  constructor(id: number = volumeId) {
    this.volume = new SampleVolume(this.dir, id);
  }

  put(needleId: bigint, data: Uint8Array, fields: Fields = {}): void {
    this.volume.put(needleId, data, fields);
  }

  remove(): void {
    this.volume.close();
    rmSync(this.dir, { recursive: true });
  }
}

export function startHost(dir: string, tls: string, port = 0): Promise<TargetHost> {
  return startTargetHost({
    host: '127.0.0.1',
    port,
    // As a target reads it from its file: one character is one byte.
    secret: Buffer.from(secret).toString('latin1'),
    dirs: [dir],
    unconfirmed: true,
    arenaBytes: 64 * mebibyte,
    hugepages: 'try',
    deviceName: 'lo',
    tls,
  });
}

export function targetOptions(
  hosts: readonly TargetHost[],
  tls: string,
): Extract<ConnectOptions, { targets: readonly string[] }> {
  const targets = hosts.map(({ address }) => address);
  return { targets, secret, deviceName: 'lo', tls, memoryBytes: 32 * mebibyte };
}

/** Resolves as soon as `isTrue` holds; asked again after each change of the client. */
export async function whenClient(client: NeedleClient, isTrue: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (isTrue()) resolve();
  };
  const end = client.onChange(check);
  check();
  await promise;
  end();
}

export interface ClientWay {
  readonly name: string;
  open(dir: string): Promise<{ readonly client: NeedleClient; stop(): Promise<void> }>;
}

export const clientWays: readonly ClientWay[] = [
  {
    name: 'directories in this process',
    async open(dir) {
      const client = await connect({ dirs: [dir], memoryBytes: 32 * mebibyte });
      return { client, stop: async () => undefined };
    },
  },
  { name: 'a target over tcp', open: (dir) => overTarget(dir, tcp) },
  { name: 'a target over shared memory', open: (dir) => overTarget(dir, sharedMemory) },
];

async function overTarget(dir: string, tls: string): ReturnType<ClientWay['open']> {
  const host = await startHost(dir, tls);
  const client = await connect(targetOptions([host], tls));
  return { client, stop: () => host.stop(1_000) };
}
