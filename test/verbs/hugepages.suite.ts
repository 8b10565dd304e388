/** Reads over verbs into, and out of, memory in pages of 2 MiB and of 4 KiB. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createRdmaClient } from '../../src/rdma/rdma-client.ts';
import { startTargetHost } from '../../src/rdma/target-host.ts';
import { bytesOf, mebibyte, volumeId } from '../contract/client-rig.ts';
import { SampleVolume } from '../contract/sample-volume.ts';
import { readOf, whenServed } from '../contract/subjects.ts';

const host = process.env['SEAWEED_RDMA_VERBS_ADDRESS'] ?? '';
const secret = 'contract';
const arenaBytes = 64 * mebibyte;
const sizes = [1, 65_536, 8 * mebibyte + 3];
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

it.each([
  ['require', 'hugetlb'],
  ['off', 'normal'],
] as const)('hugepages = "%s" reads every byte over rc_verbs', async (hugepages, pageKind) => {
  writeFileSync('/proc/sys/vm/nr_hugepages', String((2 * arenaBytes) / (2 * mebibyte) + 4));
  const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-'));
  ends.push(() => rmSync(dir, { recursive: true }));
  const volume = new SampleVolume(dir, volumeId);
  for (const [at, size] of sizes.entries()) volume.put(BigInt(at + 1), bytesOf(size, at));
  volume.close();
  const memory = { arenaBytes, hugepages, tls: 'rc' } as const;
  const place = { host, port: 0, secret, handshakeTimeoutMs: 60_000 };
  const target = await startTargetHost({ ...memory, ...place, dirs: [dir], unconfirmed: true });
  ends.push(() => target.stop(0));
  const client = createRdmaClient({ ...memory, kind: 'ucx' });
  ends.push(() => client.close());
  expect([target.stats().pageKind, client.stats().pageKind]).toEqual([pageKind, pageKind]);

  const address = { host, port: target.port, secret, connectTimeoutMs: 60_000 };
  const fetcher = client.addTarget(address);
  await whenServed(fetcher, volumeId);
  expect(fetcher.state).toMatchObject({ kind: 'up', transport: 'rc_verbs' });
  for (const [at, size] of sizes.entries()) {
    const result = await fetcher.read(readOf(BigInt(at + 1), { timeoutMs: 60_000 }));
    if (result.kind !== 'needle') throw new Error(result.status);
    expect(result.data?.view.equals(bytesOf(size, at))).toBe(true);
    result.data?.lease.release();
  }
});
