/** The two halves together: sessions that come, go and return, and what the volume server's word does to them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RdmaMisuseError, RdmaUnavailableError } from '../../src/rdma/errors.ts';
import type { FetchResult, NeedleFetcher, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import {
  createRdmaClient,
  type RdmaClient,
  type TargetAddress,
} from '../../src/rdma/rdma-client.ts';
import {
  startTargetHost,
  type TargetHost,
  type TargetHostOptions,
} from '../../src/rdma/target-host.ts';
import { SampleVolume } from './sample-volume.ts';
import { when, whenServed } from './subjects.ts';

const volumeId = 3;
const tls = 'tcp,self';
const command: ReadCommand = {
  volumeId,
  needleId: 1n,
  cookie: 1,
  offset: 0,
  length: 1_000_000,
  wholeBytesMax: 1_000_000,
  budgetBytes: 1_000_000,
  metadataOnly: false,
  timeoutMs: 5_000,
};

describe('a target host', () => {
  let dir: string;
  let volume: SampleVolume;
  let client: RdmaClient;
  const hosts: TargetHost[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-host-'));
    volume = new SampleVolume(dir, volumeId);
    volume.put(1n, Buffer.alloc(500_000, 5));
    client = createRdmaClient({
      kind: 'ucx',
      arenaBytes: 64 * 1024 * 1024,
      hugepages: 'off',
      deviceName: 'lo',
      tls,
    });
  });

  afterEach(async () => {
    await client.close();
    for (const host of hosts.splice(0)) await host.stop(0);
    volume.close();
    rmSync(dir, { recursive: true });
  });

  async function start(change: Partial<TargetHostOptions> = {}): Promise<TargetHost> {
    const host = await startTargetHost({
      host: '127.0.0.1',
      port: 0,
      secret: 'right',
      dirs: [dir],
      unconfirmed: true,
      arenaBytes: 64 * 1024 * 1024,
      hugepages: 'off',
      deviceName: 'lo',
      tls,
      ...change,
    });
    hosts.push(host);
    return host;
  }

  function connect(port: number, change: Partial<TargetAddress> = {}): NeedleFetcher {
    return client.addTarget({
      host: '127.0.0.1',
      port,
      secret: 'right',
      connectTimeoutMs: 2_000,
      ...change,
    });
  }

  function whenDown(fetcher: NeedleFetcher): Promise<void> {
    return when(fetcher, () => fetcher.state.kind === 'down');
  }

  function release(result: FetchResult): void {
    if (result.kind === 'needle') result.data?.lease.release();
  }

  it('is reached by name, and counts what it serves', async () => {
    const host = await start();
    const fetcher = connect(host.port, { host: 'localhost' });
    await whenServed(fetcher, volumeId);
    expect(fetcher.address).toBe(`localhost:${host.port}`);
    expect(fetcher.state).toMatchObject({ kind: 'up', transport: 'tcp' });
    release(await fetcher.read(command));
    await expect.poll(() => host.stats().readsByStatus['ok']).toBe(1);
    expect(host.stats()).toMatchObject({ sessionsActive: 1, sessionsTotal: 1 });
    await expect.poll(() => host.stats().bytesSent).toBeGreaterThanOrEqual(500_000);
    expect(host.volumes()).toMatchObject([{ volumeId, version: 3, confirmed: true }]);
  });

  it('refuses a wrong secret', async () => {
    const fetcher = connect((await start()).port, { secret: 'wrong' });
    await whenDown(fetcher);
    expect(fetcher.state).toMatchObject({ kind: 'down', status: 'unauthorized' });
    expect(await fetcher.read(command)).toEqual({ kind: 'failed', status: 'not_connected' });
  });

  it('is not mistaken for a port where nobody listens, or somebody silent', async () => {
    const silent = createServer((socket) => socket.resume().on('error', () => {}));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const unanswered = connect(port, { connectTimeoutMs: 300 });
    await whenDown(unanswered);
    await unanswered.close();
    silent.close();
    await once(silent, 'close');
    const refused = connect(port);
    await whenDown(refused);
    expect(refused.state).not.toMatchObject({ detail: '' });
  });

  it('ends what is in flight when it stops, and is found again at its port', async () => {
    const host = await start();
    const fetcher = connect(host.port);
    await whenServed(fetcher, volumeId);
    const pending = Array.from({ length: 200 }, () => fetcher.read(command));
    await host.stop(5_000);
    for (const result of await Promise.all(pending)) release(result);
    await whenDown(fetcher);
    expect(fetcher.volumes.size).toBe(0);

    await start({ port: host.port });
    await whenServed(fetcher, volumeId);
    const again = await fetcher.read(command);
    expect(again.kind).toBe('needle');
    release(again);
  });

  it('serves a volume only while its server confirms it', async () => {
    const host = await start({ unconfirmed: false, confirmIntervalMs: 200 });
    const fetcher = connect(host.port);
    await when(fetcher, () => fetcher.volumes.has(volumeId));
    expect(fetcher.volumes.get(volumeId)?.confirmed).toBe(false);
    expect(await fetcher.read(command)).toEqual({ kind: 'failed', status: 'volume_unconfirmed' });
    const row = { volumeId, sizeBytes: 500_100, fileCount: 1, modifiedAtSeconds: 1_700_000_000 };
    const confirm = (): void => host.confirm(0, [row]);
    const confirming = setInterval(confirm, 50);
    await whenServed(fetcher, volumeId);
    const served = await fetcher.read(command);
    clearInterval(confirming);
    expect(served.kind).toBe('needle');
    release(served);
    await when(fetcher, () => fetcher.volumes.get(volumeId)?.confirmed === false);
    expect(await fetcher.read(command)).toEqual({ kind: 'failed', status: 'volume_unconfirmed' });
  });

  it('says what it cannot have', async () => {
    await expect(start({ dirs: [join(dir, 'missing')] })).rejects.toThrow(RdmaUnavailableError);
    await expect(start({ dirs: [join(dir, 'missing')] })).rejects.toThrow(/missing/);
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow(/EADDRINUSE/);
  });

  it('refuses calls that a client of the other kind has', () => {
    expect(() => client.inproc()).toThrow(RdmaMisuseError);
    expect(() => client.confirm(0, [])).toThrow(RdmaMisuseError);
  });
});
