/**
 * The cache's figures through whole proxies: a fetch against hits that are validated and hits that are not, one at a time
 * and 64 at once, and what a hit allocates. Volume server, target and whoever asks share a core, the proxy has one of its
 * own, where there is taskset and a second core. Prints one JSON document. Argument: seconds for each cell (default 1).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOf } from './cache-load.ts';
import {
  measureHeap,
  measureLatency,
  measureThroughput,
  type Variant,
  warmUp,
} from './cache-measures.ts';
import { writeNeedles } from './cache-needles.ts';
import { MeasuredProcess, MeasuredProxy, pinOthers, type Servers } from './cache-processes.ts';
import type { ProxySettings } from './cache-proxy.ts';

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
  const smallest = all[0] as (typeof all)[number];
  const load = loadOf(smallest, scratch);
  const cells = [];
  for (const { transport, tls } of transports) cells.push({ transport, ...(await measure(tls)) });
  const { name: generator } = load;
  console.log(JSON.stringify({ seconds, rounds, isPinned, generator, cells }, undefined, 1));

  async function measure(tls: string) {
    const servers = new MeasuredProcess('cache-servers.ts', [dir, tls]);
    const running: MeasuredProcess[] = [servers];
    try {
      const at = (await servers.said()) as Servers;
      const proxies = {} as Record<Variant, MeasuredProxy>;
      for (const variant of Object.keys(variants) as Variant[]) {
        const settings = { ...at, tls, ...variants[variant] };
        proxies[variant] = await MeasuredProxy.start(settings, isPinned);
        running.push(proxies[variant].process);
      }
      await warmUp(proxies, all);
      const latency = [];
      for (const needles of all) {
        latency.push(await measureLatency(proxies, needles, rounds, seconds * 200));
      }
      const throughput = await measureThroughput(proxies, servers, load, rounds, seconds);
      const heap = await measureHeap(proxies, smallest, load, seconds);
      return { latency, throughput, heap };
    } finally {
      for (const each of running.toReversed()) await each.stop();
    }
  }
} finally {
  rmSync(dir, { recursive: true });
  rmSync(scratch, { recursive: true });
}
