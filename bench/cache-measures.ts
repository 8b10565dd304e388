/** The measurements of running proxies that cache-bench.ts makes. */

import { type CpuSample, cpuOf, cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import type { CacheStats } from '../src/proxy/cache/cache-status.ts';
import { askInTurn, type Load, type LoadRun } from './load.ts';
import type { Needles } from './needles.ts';
import type { MeasuredProcess, MeasuredProxy } from './processes.ts';
import { inRounds, median, ratioOf, round, spreadOf } from './rounds.ts';

/** `off` keeps nothing: every read is a fetch. `strict-2`: two VALIDATEs under way. */
export type Variant = 'off' | 'immutable' | 'lease' | 'strict' | 'strict-2';

export type Proxies = Readonly<Record<Variant, MeasuredProxy>>;

export interface Latency {
  readonly bytes: number;
  readonly p50Us: Readonly<Record<'off' | 'strict' | 'immutable', number>>;
  readonly p99Us: Readonly<Record<'off' | 'strict' | 'immutable', number>>;
  readonly strictToFetch: number;
  readonly immutableToFetch: number;
}

export interface Throughput {
  readonly variant: Variant;
  readonly requestsPerSecond: number;
  readonly proxyCpuUs: number;
  readonly targetCpuUs: number;
  /** Share of one core. */
  readonly proxyBusy: number;
  /** The proxy could have done more: the load generator was slower, or another process had its core. */
  readonly isGeneratorBound: boolean;
  /** undefined: nothing was validated. */
  readonly hitsPerValidation: number | undefined;
  readonly toImmutable: number;
  /** That ratio if the proxy's CPU were all that counts. */
  readonly toImmutableByCpu: number;
}

/** Allocations of a validated hit. */
export interface HeapPerHit {
  readonly bytes: number;
  readonly connections: number;
  readonly hits: number;
  readonly heapBytesPerHit: number;
  readonly sites: readonly { readonly site: string; readonly bytesPerHit: number }[];
  /** Bytes of ArrayBuffers, which lie outside of the heap; a lower bound. */
  readonly arrayBufferBytesPerHit: number;
}

const connections = 64;
/** Less than this share of its core: something else was the slowest. */
const saturatedShare = 0.9;
/** Brought by the first read; its head prepared by the second. */
const warmUpRounds = 2;
const hitShareMin = 0.999;

/** Every needle is in every cache then. */
export async function warmUp(proxies: Proxies, all: readonly Needles[]): Promise<void> {
  for (const proxy of Object.values(proxies)) {
    for (const needles of all) {
      for (let i = 0; i < warmUpRounds; i += 1) await askInTurn(proxy.port, needles, 0);
    }
  }
}

export async function measureLatency(
  proxies: Proxies,
  needles: Needles,
  rounds: number,
  cellMs: number,
): Promise<Latency> {
  const names = ['off', 'strict', 'immutable'] as const;
  const spreads = await inRounds(names, rounds, async (name) => {
    const proxy = proxies[name];
    await askInTurn(proxy.port, needles, cellMs / 10);
    const before = await proxy.cacheStats();
    const latenciesUs = await askInTurn(proxy.port, needles, cellMs);
    if (name !== 'off') mustBeHits(before, await proxy.cacheStats(), latenciesUs.length);
    return spreadOf(latenciesUs);
  });
  const p50 = (name: (typeof names)[number]): number[] => spreads[name].map((each) => each.p50);
  const p99 = (name: (typeof names)[number]): number[] => spreads[name].map((each) => each.p99);
  return {
    bytes: needles.bytes,
    p50Us: {
      off: round(median(p50('off')), 1),
      strict: round(median(p50('strict')), 1),
      immutable: round(median(p50('immutable')), 1),
    },
    p99Us: {
      off: round(median(p99('off')), 1),
      strict: round(median(p99('strict')), 1),
      immutable: round(median(p99('immutable')), 1),
    },
    strictToFetch: round(ratioOf(p50('strict'), p50('off'))),
    immutableToFetch: round(ratioOf(p50('immutable'), p50('off'))),
  };
}

interface Run extends LoadRun {
  readonly proxyCpuUs: number;
  readonly targetCpuUs: number;
  readonly proxyBusy: number;
  readonly hitsPerValidation: number;
}

export async function measureThroughput(
  proxies: Proxies,
  servers: MeasuredProcess,
  load: Load,
  rounds: number,
  seconds: number,
): Promise<readonly Throughput[]> {
  const names: readonly Variant[] = ['off', 'immutable', 'lease', 'strict', 'strict-2'];
  const runs = await inRounds(names, rounds, (name) =>
    runOnce(proxies[name], name !== 'off', servers, load, seconds),
  );
  const of = (name: Variant, figure: keyof Run): number[] => runs[name].map((run) => run[figure]);
  return names.map((variant): Throughput => {
    const proxyBusy = median(of(variant, 'proxyBusy'));
    const hitsPerValidation = median(of(variant, 'hitsPerValidation'));
    return {
      variant,
      requestsPerSecond: Math.round(median(of(variant, 'requestsPerSecond'))),
      proxyCpuUs: round(median(of(variant, 'proxyCpuUs')), 1),
      targetCpuUs: round(median(of(variant, 'targetCpuUs')), 1),
      proxyBusy: round(proxyBusy),
      isGeneratorBound: proxyBusy < saturatedShare,
      hitsPerValidation: Number.isFinite(hitsPerValidation)
        ? round(hitsPerValidation, 1)
        : undefined,
      toImmutable: round(
        ratioOf(of(variant, 'requestsPerSecond'), of('immutable', 'requestsPerSecond')),
      ),
      toImmutableByCpu: round(ratioOf(of('immutable', 'proxyCpuUs'), of(variant, 'proxyCpuUs'))),
    };
  });
}

async function runOnce(
  proxy: MeasuredProxy,
  isCached: boolean,
  servers: MeasuredProcess,
  load: Load,
  seconds: number,
): Promise<Run> {
  const before = await proxy.cacheStats();
  const startedAt = performance.now();
  const measured = [proxy.process, servers].map(({ pid }) => [pid]);
  const cpuBefore = measured.map(cpuOf);
  const run = await load.run(proxy.port, connections, seconds);
  const [proxyCpuUs, targetCpuUs] = measured.map((pids, i) =>
    cpuUsBetween(cpuBefore[i] as CpuSample, cpuOf(pids)),
  ) as [number, number];
  const tookUs = (performance.now() - startedAt) * 1e3;
  const after = await proxy.cacheStats();
  if (isCached) mustBeHits(before, after, run.requests);
  return {
    ...run,
    proxyCpuUs: proxyCpuUs / run.requests,
    targetCpuUs: targetCpuUs / run.requests,
    proxyBusy: proxyCpuUs / tookUs,
    hitsPerValidation: (after.hits - before.hits) / (after.validations - before.validations),
  };
}

/** From one request at a time, and from many; of small needles and of larger ones, whose hits must not cost more. */
export async function measureHeap(
  proxies: Proxies,
  loads: readonly { readonly needles: Needles; readonly load: Load }[],
  seconds: number,
): Promise<readonly HeapPerHit[]> {
  const { strict } = proxies;
  const rows: HeapPerHit[] = [];
  for (const { needles, load } of loads) {
    const ways = {
      1: () => askInTurn(strict.port, needles, seconds * 1e3),
      [connections]: () => load.run(strict.port, connections, seconds),
    };
    for (const [atOnce, run] of Object.entries(ways)) {
      const row = { bytes: needles.bytes, connections: Number(atOnce) };
      rows.push({ ...row, ...(await heapOf(strict, run)) });
    }
  }
  return rows;
}

async function heapOf(
  proxy: MeasuredProxy,
  run: () => Promise<unknown>,
): Promise<Omit<HeapPerHit, 'bytes' | 'connections'>> {
  const before = await proxy.cacheStats();
  await proxy.sample();
  await run();
  const { bytes, sites, arrayBufferBytes } = await proxy.allocated();
  const hits = (await proxy.cacheStats()).hits - before.hits;
  return {
    hits,
    heapBytesPerHit: Math.round(bytes / hits),
    sites: sites.map((each) => ({ site: each.site, bytesPerHit: Math.round(each.bytes / hits) })),
    arrayBufferBytesPerHit: Math.round(arrayBufferBytes / hits),
  };
}

/** A figure of hits is one of hits. */
function mustBeHits(before: CacheStats, after: CacheStats, requests: number): void {
  const hits = after.hits - before.hits;
  if (hits >= requests * hitShareMin) return;
  throw new Error(`${hits} of ${requests} requests were hits`);
}
