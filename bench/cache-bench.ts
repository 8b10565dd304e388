/**
 * The cache's figures through whole proxies: a fetch against hits that are validated and hits that are not, one at a time
 * and 64 at once, and what a hit allocates. Volume server, target and load generator share a core, the proxy has one of
 * its own, where there is taskset and a second core. Prints one JSON document. Argument: seconds for each cell (default 1).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type HeapPerHit,
  type Latency,
  measureHeap,
  measureLatency,
  measureThroughput,
  type Proxies,
  type Throughput,
  type Variant,
  warmUp,
} from './cache-measures.ts';
import { loadOf } from './load.ts';
import { writeNeedles } from './needles.ts';
import { MeasuredProcess, MeasuredProxy, pinOthers, type Servers } from './processes.ts';
import type { ProxySettings } from './proxy-process.ts';

/** Latencies and throughput by transport. */
export interface CacheDocument {
  readonly seconds: number;
  readonly rounds: number;
  readonly isPinned: boolean;
  readonly generator: string;
  readonly latency: readonly ({ readonly transport: string } & Latency)[];
  readonly throughput: readonly ({ readonly transport: string } & Throughput)[];
  readonly heap: readonly HeapPerHit[];
}

const seconds = Number(process.argv[2] ?? 1);
const rounds = 5;
const transports = [
  { transport: 'shm', tls: 'tcp,posix,sysv,cma,self' },
  { transport: 'tcp', tls: 'tcp,self' },
];
const cacheBytes = 128 * 1024 * 1024;
const variants: Readonly<
  Record<Variant, Pick<ProxySettings, 'consistency' | 'cacheBytes' | 'validationsMax'>>
> = {
  off: { consistency: 'strict', cacheBytes: 0, validationsMax: 1 },
  immutable: { consistency: 'immutable', cacheBytes, validationsMax: 1 },
  lease: { consistency: 'lease', cacheBytes, validationsMax: 1 },
  strict: { consistency: 'strict', cacheBytes, validationsMax: 1 },
  'strict-2': { consistency: 'strict', cacheBytes, validationsMax: 2 },
};

const isPinned = pinOthers();
const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-bench-'));
const scratch = mkdtempSync(join(tmpdir(), 'seaweed-rdma-bench-'));
try {
  const all = writeNeedles(dir);
  const loads = all.slice(0, 2).map((needles) => ({ needles, load: loadOf(needles, scratch) }));
  const { load } = loads[0] as (typeof loads)[number];
  const latency: CacheDocument['latency'][number][] = [];
  const throughput: CacheDocument['throughput'][number][] = [];
  let heap: readonly HeapPerHit[] = [];
  for (const { transport, tls } of transports) {
    await withProxies(tls, async (proxies, servers) => {
      await warmUp(proxies, all);
      const cells = await measureThroughput(proxies, servers, load, rounds, seconds);
      throughput.push(...cells.map((cell) => ({ transport, ...cell })));
      if (heap.length === 0) heap = await measureHeap(proxies, loads, seconds);
      // Last: by then the JIT has compiled what one request at a time would take long to make hot.
      for (const needles of all) {
        const cell = await measureLatency(proxies, needles, rounds, seconds * 150);
        latency.push({ transport, ...cell });
      }
    });
  }
  const how = { seconds, rounds, isPinned, generator: load.name };
  const document: CacheDocument = { ...how, latency, throughput, heap };
  console.log(JSON.stringify(document, undefined, 1));
} finally {
  rmSync(dir, { recursive: true });
  rmSync(scratch, { recursive: true });
}

async function withProxies(
  tls: string,
  use: (proxies: Proxies, servers: MeasuredProcess) => Promise<void>,
): Promise<void> {
  const servers = new MeasuredProcess('target-process.ts', [dir, tls]);
  const running: MeasuredProcess[] = [servers];
  try {
    const at = (await servers.said()) as Servers;
    const proxies: Partial<Record<Variant, MeasuredProxy>> = {};
    for (const variant of Object.keys(variants) as Variant[]) {
      const proxy = await MeasuredProxy.start({ ...at, tls, ...variants[variant] }, isPinned);
      running.push(proxy.process);
      proxies[variant] = proxy;
    }
    await use(proxies as Proxies, servers);
  } finally {
    for (const each of running.toReversed()) await each.stop();
  }
}
