/**
 * Fetches from JavaScript over UCX, from a target in another process: 4 KiB, 64 KiB and 1 MiB, over shared memory and
 * tcp, one and sixteen at a time. Prints one JSON document. Arguments: milliseconds for each cell (default 1000), spin
 * in microseconds of both sides (default 0), and the native loop (read_bench), which then does the same READs of the
 * same target right after, for comparison.
 */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NeedleFetcher, ReadCommand } from '../src/rdma/needle-fetcher.ts';
import { createRdmaClient } from '../src/rdma/rdma-client.ts';
import { SampleVolume } from '../test/contract/sample-volume.ts';

const cellMs = Number(process.argv[2] ?? 1000);
const spinUs = Number(process.argv[3] ?? 0);
const nativeLoop = process.argv[4];
const sizes = [4 * 1024, 64 * 1024, 1024 * 1024];
const depths = [1, 16];
const transports = [
  { name: 'shm', tls: 'tcp,posix,sysv,cma,self' },
  { name: 'tcp', tls: 'tcp,self' },
];
const volumeId = 3;

const nativeLine =
  /^\S+\s+(\S+)\s+(\d+) B\s+depth\s+(\d+)\s+p50\s+([\d.]+) us\s+p99\s+([\d.]+) us\s+\d+ reads\/s\s+([\d.]+) MB\/s$/;

export interface FetchCell {
  readonly transport: string;
  readonly bytes: number;
  readonly depth: number;
  readonly fetchesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU of this process, user and system, per fetch. */
  readonly cpuUs: number;
}

export interface FetchDocument {
  readonly node: string;
  readonly cellMs: number;
  readonly spinUs: number;
  readonly cells: readonly FetchCell[];
  /** Empty without the native loop. */
  readonly native: readonly NativeCell[];
}

const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-bench-'));
try {
  const volume = new SampleVolume(dir, volumeId);
  for (const [index, bytes] of sizes.entries())
    volume.put(BigInt(index + 1), Buffer.alloc(bytes, index + 1));
  volume.close();
  const cells: FetchCell[] = [];
  const native: NativeCell[] = [];
  for (const { name, tls } of transports) {
    const measured = await measureTransport(name, tls);
    cells.push(...measured.cells);
    native.push(...measured.native);
  }
  const document: FetchDocument = { node: process.version, cellMs, spinUs, cells, native };
  console.log(JSON.stringify(document, undefined, 1));
} finally {
  rmSync(dir, { recursive: true });
}

async function measureTransport(
  name: string,
  tls: string,
): Promise<{ cells: FetchCell[]; native: NativeCell[] }> {
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
    const cells: FetchCell[] = [];
    for (const [index, bytes] of sizes.entries()) {
      for (const depth of depths) {
        await measure(fetcher, BigInt(index + 1), depth, cellMs / 5);
        const figures = await measure(fetcher, BigInt(index + 1), depth, cellMs);
        cells.push({ transport: name, bytes, depth, ...toRates(figures, bytes) });
      }
    }
    const native = nativeLoop === undefined ? [] : await measureNative(nativeLoop, name, tls, port);
    return { cells, native };
  } finally {
    await client.close();
    await stop(target);
  }
}

export interface NativeCell {
  readonly transport: string;
  /** "wake-up" sleeps on the worker's descriptor, as the addon does; "busy" never sleeps. */
  readonly mode: string;
  readonly bytes: number;
  readonly depth: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly megabytesPerSecond: number;
}

async function measureNative(
  program: string,
  transport: string,
  tls: string,
  port: number,
): Promise<NativeCell[]> {
  const fids = sizes.flatMap((_, index) => ['--fid', `${volumeId},0${index + 1}00000001`]);
  const at = ['--host', '127.0.0.1', '--port', String(port), '--tls', tls];
  const effort = ['--depth', '16', '--seconds', String(cellMs / 1e3)];
  const { stdout } = await promisify(execFile)(program, [...at, ...effort, ...fids], {
    env: { ...process.env, UCX_NET_DEVICES: 'lo' },
  });
  const cells = stdout.split('\n').flatMap((line) => {
    const [, mode = '', bytes, depth, p50, p99, rate] = nativeLine.exec(line.trim()) ?? [];
    if (bytes === undefined) return [];
    const [p50Us, p99Us, megabytesPerSecond] = [Number(p50), Number(p99), Number(rate)];
    const shape = { transport, mode, bytes: Number(bytes), depth: Number(depth) };
    return [{ ...shape, p50Us, p99Us, megabytesPerSecond }];
  });
  if (cells.length === 0) throw new Error(`no figures in the native loop's output:\n${stdout}`);
  return cells;
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
): Omit<FetchCell, 'transport' | 'bytes' | 'depth'> {
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
