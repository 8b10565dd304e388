/** `seaweed-rdma bench`: how fast a target answers, seen from JavaScript, with nothing else in the way. */
import type { FetchResult, NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { formatPercentiles, percentiles } from '../../telemetry/percentiles.ts';
import { exitCodes } from '../exit-codes.ts';
import { type FabricOptions, openFabric } from '../fabric/fabric.ts';
import type { NeedleName } from '../needle-name.ts';
import { print, printJson } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface BenchOptions {
  readonly fabric: FabricOptions;
  /** Read in turn; empty: PING round trips. */
  readonly needles: readonly NeedleName[];
  readonly iterations: number;
  readonly depth: number;
  /** Bytes of each read. */
  readonly bytes: number;
  readonly timeoutMs: number;
  readonly json: boolean;
}

interface Tally {
  readonly latenciesUs: number[];
  readonly failures: Map<string, number>;
  bytes: number;
}

/** One request: its bytes, or the status of its failure. */
type Operation = (index: number) => Promise<number | string>;

const warmUpMax = 200;

/** Returns the exit code: failed when any read failed. */
export async function runTargetBench(options: BenchOptions): Promise<number> {
  const { depth, bytes } = options;
  const arenaBytes = 2 ** 24 + 4 * depth * Math.max(bytes, 4096);
  const fabric = await openFabric(options.fabric, arenaBytes);
  try {
    const [fetcher] = fabric.fetchers;
    const operation =
      options.needles.length === 0 ? ping(fetcher, options) : read(fetcher, options);
    const first = await operation(0);
    if (typeof first === 'string') throw new ToolFailure(`the first request failed: ${first}`);
    await runAll(operation, { ...options, iterations: Math.min(options.iterations, warmUpMax) });
    const startedAt = performance.now();
    const tally = await runAll(operation, options);
    report(options, fetcher, tally, (performance.now() - startedAt) / 1000);
    return tally.failures.size === 0 ? exitCodes.done : exitCodes.failed;
  } finally {
    await fabric.close();
  }
}

function ping(fetcher: NeedleFetcher, { timeoutMs }: BenchOptions): Operation {
  return async () => {
    const result = await fetcher.ping(timeoutMs);
    return result.kind === 'pong' ? 0 : result.status;
  };
}

/** A needle of at most the size is read whole; of a larger one its first bytes. */
function read(fetcher: NeedleFetcher, { needles, bytes, timeoutMs }: BenchOptions): Operation {
  return async (index) => {
    const result: FetchResult = await fetcher.read({
      ...(needles[index % needles.length] as NeedleName),
      offset: 0,
      length: bytes,
      wholeBytesMax: bytes,
      budgetBytes: bytes,
      metadataOnly: false,
      timeoutMs,
    });
    if (result.kind === 'failed') return result.status;
    result.data?.lease.release();
    return result.data?.view.length ?? 0;
  };
}

async function runAll(operation: Operation, { iterations, depth }: BenchOptions): Promise<Tally> {
  const tally: Tally = { latenciesUs: [], failures: new Map(), bytes: 0 };
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < iterations) {
      const index = next;
      next += 1;
      const postedAt = performance.now();
      const result = await operation(index);
      if (typeof result === 'string') {
        tally.failures.set(result, (tally.failures.get(result) ?? 0) + 1);
        continue;
      }
      tally.latenciesUs.push((performance.now() - postedAt) * 1000);
      tally.bytes += result;
    }
  };
  await Promise.all(Array.from({ length: depth }, runner));
  return tally;
}

function report(
  { json, needles, depth }: BenchOptions,
  fetcher: NeedleFetcher,
  { latenciesUs, failures, bytes }: Tally,
  seconds: number,
): void {
  const latency = percentiles(latenciesUs);
  const result = {
    target: fetcher.address,
    transport: fetcher.state.kind === 'up' ? fetcher.state.transport : 'unknown',
    operation: needles.length === 0 ? 'ping' : 'read',
    depth,
    seconds,
    requests: latency.count,
    requestsPerSecond: latency.count / seconds,
    bytes,
    megabytesPerSecond: bytes / seconds / 1e6,
    latencyUs: latency,
    failures: Object.fromEntries(failures),
  };
  if (json) {
    printJson(result);
    return;
  }
  print(`${result.operation} from ${result.target} over ${result.transport}, ${depth} in flight`);
  print(`  ${formatPercentiles('latency', latency)}`);
  const rate = `${result.requestsPerSecond.toFixed(0)} requests/s`;
  print(`  ${rate}, ${result.megabytesPerSecond.toFixed(1)} MB/s in ${seconds.toFixed(2)} s`);
  if (needles.length === 0) print('  no needle was named: these are round trips without data');
  for (const [status, count] of failures) print(`  failed: ${status} ${count}`);
}
