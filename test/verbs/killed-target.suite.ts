/** A target that is killed, or stopped, over verbs: reads fail in time, and come back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { FetchResult, NeedleFetcher } from '../../src/rdma/needle-fetcher.ts';
import { createRdmaClient } from '../../src/rdma/rdma-client.ts';
import { bytesOf, mebibyte, volumeId } from '../contract/client-rig.ts';
import { SampleVolume } from '../contract/sample-volume.ts';
import { readOf, when, whenServed } from '../contract/subjects.ts';

const host = process.env['SEAWEED_RDMA_VERBS_ADDRESS'] ?? '';
const port = 18_600;
const needle = bytesOf(100_000, 1);
const timeoutMs = 5_000;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function startTarget(dir: string): Promise<ChildProcess> {
  const program = join(import.meta.dirname, 'target-process.ts');
  const child = spawn(process.execPath, [program, host, String(port), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ends.push(() => child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.EventEmitter, 'data');
  return child;
}

async function read(fetcher: NeedleFetcher): Promise<FetchResult> {
  const all = { length: mebibyte, wholeBytesMax: mebibyte, budgetBytes: mebibyte };
  const result = await fetcher.read(readOf(1n, { ...all, timeoutMs }));
  if (result.kind === 'needle') {
    expect(result.data?.view.equals(needle)).toBe(true);
    result.data?.lease.release();
  }
  return result;
}

it.each(['SIGKILL', 'SIGSTOP'] as const)(
  'a read of a target with %s ends within its deadline, and later ones are answered',
  async (signal) => {
    const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-'));
    ends.push(() => rmSync(dir, { recursive: true }));
    const volume = new SampleVolume(dir, volumeId);
    volume.put(1n, needle);
    volume.close();
    const target = await startTarget(dir);
    const client = createRdmaClient({
      kind: 'ucx',
      tls: 'rc',
      arenaBytes: 64 * mebibyte,
      hugepages: 'try',
    });
    ends.push(() => client.close());
    const address = { host, port, secret: 'contract', connectTimeoutMs: 60_000 };
    const fetcher = client.addTarget(address);
    await whenServed(fetcher, volumeId);
    expect((await read(fetcher)).kind).toBe('needle');

    target.kill(signal);
    const startMs = performance.now();
    expect((await read(fetcher)).kind).toBe('failed');
    expect(performance.now() - startMs).toBeLessThan(timeoutMs + 2_000);
    if (signal === 'SIGSTOP') target.kill('SIGCONT');
    else {
      await when(fetcher, () => fetcher.state.kind !== 'up');
      await startTarget(dir);
    }
    await expect
      .poll(async () => (await read(fetcher)).kind, { timeout: 60_000, interval: 500 })
      .toBe('needle');
    expect(fetcher.state).toMatchObject({ kind: 'up', transport: 'rc_verbs' });
  },
);
