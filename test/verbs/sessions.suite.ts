/** Many sessions with one target over verbs, each with a queue pair of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
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
const sessions = 64;
const needle = bytesOf(100_000, 1);
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

it(`${sessions} sessions with one target read at once, and each gets every byte`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-'));
  ends.push(() => rmSync(dir, { recursive: true }));
  const volume = new SampleVolume(dir, volumeId);
  volume.put(1n, needle);
  volume.close();
  const memory = { arenaBytes: 128 * mebibyte, hugepages: 'try', tls: 'rc' } as const;
  const target = await startTargetHost({
    ...memory,
    host,
    port: 0,
    secret,
    dirs: [dir],
    unconfirmed: true,
    handshakeTimeoutMs: 120_000,
    pendingPerAddressMax: 2 * sessions,
  });
  ends.push(() => target.stop(0));
  const client = createRdmaClient({ ...memory, kind: 'ucx' });
  ends.push(() => client.close());
  const address = { host, port: target.port, secret, connectTimeoutMs: 120_000 };
  const fetchers = Array.from({ length: sessions }, () => client.addTarget(address));
  await Promise.all(fetchers.map((fetcher) => whenServed(fetcher, volumeId)));
  await expect.poll(() => target.stats().sessionsActive, { timeout: 60_000 }).toBe(sessions);
  const command = readOf(1n, { timeoutMs: 100_000, length: mebibyte, wholeBytesMax: mebibyte });
  const results = await Promise.all(fetchers.map((fetcher) => fetcher.read(command)));
  for (const result of results) {
    if (result.kind !== 'needle') throw new Error(result.status);
    expect(result.data?.view.equals(needle)).toBe(true);
    result.data?.lease.release();
  }
}, 400_000);
