/** Faults that keep a session over RDMA from coming up, planted: what is said of each names the cause. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { releaseData } from '../../../src/rdma/rails/rail-request.ts';
import { createRdmaClient, type UcxClientOptions } from '../../../src/rdma/rdma-client.ts';
import { startTargetHost } from '../../../src/rdma/target-host.ts';
import { listenFault } from '../../../src/rdma/ucx-addresses.ts';
import { bytesOf, mebibyte, volumeId } from '../../contract/client-rig.ts';
import { SampleVolume } from '../../contract/sample-volume.ts';
import { readOf, when, whenServed } from '../../contract/subjects.ts';
import { type Cable, type Cables, makeCables } from './cables.ts';

const address = process.env['SEAWEED_RDMA_VERBS_ADDRESS'] ?? '';
const device = `${process.env['SEAWEED_RDMA_VERBS_DEVICE']}:1`;
/** An address of a network device that has no RDMA device. */
const otherAddress = '10.8.0.1';
const secret = 'contract';
const memory = { arenaBytes: 32 * mebibyte, hugepages: 'off' } as const;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function target(host: string, tls: string, deviceName = 'auto'): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-'));
  ends.push(() => rmSync(dir, { recursive: true }));
  const volume = new SampleVolume(dir, volumeId);
  volume.put(1n, bytesOf(mebibyte, 1));
  volume.close();
  const options = { host, port: 0, secret, dirs: [dir], unconfirmed: true, ...memory };
  const started = await startTargetHost({ ...options, tls, deviceName });
  ends.push(() => started.stop(0));
  return started.port;
}

/** What is said of the first attempt that failed. */
async function failure(
  host: string,
  port: number,
  options: Partial<UcxClientOptions>,
): Promise<string> {
  const client = createRdmaClient({ kind: 'ucx', tls: 'rc', ...memory, ...options });
  ends.push(() => client.close());
  const fetcher = client.addTarget({ host, port, secret, connectTimeoutMs: 20_000 });
  await when(fetcher, () => fetcher.state.kind !== 'connecting');
  const { state } = fetcher;
  return state.kind === 'down' ? state.detail : `it is ${state.kind}`;
}

describe('a session over RDMA that does not come up', () => {
  it('as the target listens where no RDMA port is', async () => {
    expect(listenFault({ tls: 'rc', deviceName: 'auto' }, otherAddress)).toContain(address);
    const port = await target(otherAddress, 'rc');
    const text = await failure(otherAddress, port, {});
    expect(text).toContain(`${otherAddress} is no address of the target's RDMA ports`);
    expect(text).toContain(`${device} (Ethernet, ${address}`);
  });

  it('as the target listens on loopback', async () => {
    expect(listenFault({ tls: 'rc', deviceName: 'auto' }, '127.0.0.1')).toContain('loopback');
    const port = await target('127.0.0.1', 'rc');
    expect(await failure('127.0.0.1', port, {})).toContain('127.0.0.1 is no address of');
  });

  it('as the target has TCP alone', async () => {
    const port = await target(address, 'tcp');
    expect(await failure(address, port, {})).toMatch(
      /"rc" is RDMA alone, and no RDMA port of the target is up/,
    );
  });

  it('as the GID that UCX is told to take has no route', async () => {
    const port = await target(address, 'rc');
    const program = `
      import { createRdmaClient } from ${JSON.stringify(join(import.meta.dirname, '../../../src/rdma/rdma-client.ts'))};
      const client = createRdmaClient({ kind: 'ucx', tls: 'rc', arenaBytes: ${memory.arenaBytes}, hugepages: 'off' });
      const fetcher = client.addTarget({ host: '${address}', port: ${port}, secret: '${secret}', connectTimeoutMs: 20000 });
      fetcher.onChange(() => {
        if (fetcher.state.kind !== 'down') return;
        process.stdout.write(fetcher.state.detail);
        process.exit();
      });`;
    const env = { ...process.env, UCX_IB_GID_INDEX: '0' };
    const args = ['--input-type=module', '--eval', program];
    const asked = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 });
    expect(asked.stdout).toMatch(/here has no GID of RoCE v2 with an address.*UCX_IB_GID_INDEX/);
  });
});

describe('a session over a cable between two RDMA ports', () => {
  let cables: Cables;
  let cable: Cable;

  beforeAll(() => {
    cables = makeCables('way');
    cable = cables.list[0] as Cable;
  });

  afterAll(() => cables?.remove());

  /** What the proxy at the near end says. */
  async function saidAtNearEnd(): Promise<string> {
    const port = await target(cable.farAddress, 'rc', `${cable.far}:1`);
    return failure(cable.farAddress, port, { deviceName: `${cable.near}:1` });
  }

  it('comes up', async () => {
    expect(await saidAtNearEnd()).toBe('it is up');
  });

  it('does not as a firewall drops UDP port 4791', async () => {
    cables.fireWall(cable, true);
    try {
      expect(await saidAtNearEnd()).toContain('look for a firewall that drops UDP port 4791');
    } finally {
      cables.fireWall(cable, false);
    }
  });

  it('is lost with the first long needle as a switch does not carry the MTU of its ends', async () => {
    cables.setMtu(cable, 4_200, 1_500);
    try {
      const port = await target(cable.farAddress, 'rc', `${cable.far}:1`);
      const deviceName = `${cable.near}:1`;
      const client = createRdmaClient({ kind: 'ucx', tls: 'rc', ...memory, deviceName });
      ends.push(() => client.close());
      const address = { host: cable.farAddress, port, secret, connectTimeoutMs: 20_000 };
      const fetcher = client.addTarget(address);
      await whenServed(fetcher, volumeId);
      void fetcher.read(readOf(1n, { timeoutMs: 60_000 })).then(releaseData);
      await when(fetcher, () => fetcher.state.kind === 'down');
      expect(fetcher.state).toMatchObject({
        detail: expect.stringContaining('does not carry the MTU of both sides, 4200'),
      });
    } finally {
      cables.setMtu(cable, 1_500, 1_500);
    }
  });

  it('does not as packets to the target leave by a device without RDMA', async () => {
    cables.detour(cable, 'w0');
    try {
      expect(await saidAtNearEnd()).toContain('no route leads from');
    } finally {
      cables.detour(cable, undefined);
    }
  });
});
