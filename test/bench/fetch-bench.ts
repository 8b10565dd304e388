/**
 * Fetches from JavaScript over UCX, from a target in another process: 4 KiB, 64 KiB and 1 MiB, over shared memory and
 * tcp, one and sixteen at a time. Prints one JSON document. Arguments: milliseconds for each cell (default 1000), spin
 * in microseconds of both sides (default 0).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NeedleFetcher, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import { createRdmaClient } from '../../src/rdma/rdma-client.ts';
import { SampleVolume } from '../contract/sample-volume.ts';

const cellMs = Number(process.argv[2] ?? 1000);
const spinUs = Number(process.argv[3] ?? 0);
const sizes = [4 * 1024, 64 * 1024, 1024 * 1024];
const depths = [1, 16];
const transports = [
  { name: 'shm', tls: 'tcp,posix,sysv,cma,self' },
  { name: 'tcp', tls: 'tcp,self' },
];
const volumeId = 3;

interface Cell {
  readonly transport: string;
  readonly bytes: number;
  readonly depth: number;
  readonly fetchesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of this process, user and system, per fetch. */
  readonly cpuUs: number;
}

const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-bench-'));
try {
  const volume = new SampleVolume(dir, volumeId);
  for (const [index, bytes] of sizes.entries())
    volume.put(BigInt(index + 1), Buffer.alloc(bytes, index + 1));
  volume.close();
  const cells: Cell[] = [];
  for (const { name, tls } of transports) cells.push(...(await measureTransport(name, tls)));
  console.log(JSON.stringify({ node: process.version, cellMs, spinUs, cells }, undefined, 1));
} finally {
  rmSync(dir, { recursive: true });
}

async function measureTransport(name: string, tls: string): Promise<Cell[]> {
  const target = fork(join(import.meta.dirname, 'fetch-target.ts'), [dir, tls, String(spinUs)]);
  const client = createRdmaClient({
    kind: 'ucx',
    arenaBytes: 256 * 1024 * 1024,
    hugepages: 'try',
    deviceName: 'lo',
    tls,
    spinUs,
  });
  try {
    const [{ port }] = (await once(target, 'message')) as [{ readonly port: number }];
    const address = { host: '127.0.0.1', port, secret: '', connectTimeoutMs: 5_000 };
    const fetcher = client.addTarget(address);
    await whenServed(fetcher);
    const cells: Cell[] = [];
    for (const [index, bytes] of sizes.entries()) {
      for (const depth of depths) {
        await measure(fetcher, BigInt(index + 1), depth, cellMs / 5);
        const figures = await measure(fetcher, BigInt(index + 1), depth, cellMs);
        cells.push({ transport: name, bytes, depth, ...toRates(figures, bytes) });
      }
    }
    return cells;
  } finally {
    await client.close();
    await stop(target);
  }
}

interface Figures {
  readonly latenciesUs: number[];
  readonly seconds: number;
  readonly cpuUs: number;
}

async function measure(
  fetcher: NeedleFetcher,
  needleId: bigint,
  depth: number,
  durationMs: number,
): Promise<Figures> {
  const command: ReadCommand = {
    volumeId,
    needleId,
    cookie: 1,
    offset: 0,
    length: 64 * 1024 * 1024,
    wholeBytesMax: 64 * 1024 * 1024,
    budgetBytes: 64 * 1024 * 1024,
    metadataOnly: false,
    timeoutMs: 2_000,
  };
  const latenciesUs: number[] = [];
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const until = startedAt + durationMs;
  const fetchInTurn = async (): Promise<void> => {
    for (let now = performance.now(); now < until; ) {
      const result = await fetcher.read(command);
      if (result.kind === 'failed') throw new Error(`a fetch failed: ${result.status}`);
      result.data?.lease.release();
      const end = performance.now();
      latenciesUs.push((end - now) * 1e3);
      now = end;
    }
  };
  await Promise.all(Array.from({ length: depth }, fetchInTurn));
  const { user, system } = process.cpuUsage(cpu);
  return { latenciesUs, seconds: (performance.now() - startedAt) / 1e3, cpuUs: user + system };
}

function toRates(
  { latenciesUs, seconds, cpuUs }: Figures,
  bytes: number,
): Omit<Cell, 'transport' | 'bytes' | 'depth'> {
  const sorted = Float64Array.from(latenciesUs).sort();
  const count = sorted.length;
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    fetchesPerSecond: Math.round(count / seconds),
    megabytesPerSecond: Math.round((count * bytes) / seconds / 1e6),
    p50Us: round(sorted[Math.floor(count * 0.5)] ?? Number.NaN),
    p99Us: round(sorted[Math.floor(count * 0.99)] ?? Number.NaN),
    cpuUs: round(cpuUs / count),
  };
}

async function whenServed(fetcher: NeedleFetcher): Promise<void> {
  if (fetcher.volumes.has(volumeId)) return;
  await new Promise<void>((resolve) => {
    fetcher.onChange(() => {
      if (fetcher.volumes.has(volumeId)) resolve();
    });
  });
}

async function stop(target: ChildProcess): Promise<void> {
  const exited = once(target, 'exit');
  target.disconnect();
  await exited;
}
