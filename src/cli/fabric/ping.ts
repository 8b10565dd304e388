/** `seaweed-rdma ping`: round trips to a target and what it says of itself. */
import { setTimeout as pause } from 'node:timers/promises';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { formatPercentiles, percentiles } from '../../telemetry/percentiles.ts';
import { exitCodes } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';
import { type FabricOptions, openFabric } from './fabric.ts';

export interface PingOptions {
  readonly fabric: FabricOptions;
  readonly count: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly json: boolean;
}

interface TargetPings {
  readonly target: string;
  readonly transport: string;
  readonly sent: number;
  readonly lost: number;
  readonly roundTripsUs: readonly number[];
}

const arenaBytes = 2 ** 21;

/** Returns the exit code: failed when any ping was lost. */
export async function runPing(options: PingOptions): Promise<number> {
  const fabric = await openFabric(options.fabric, arenaBytes);
  try {
    const results: TargetPings[] = [];
    for (const fetcher of fabric.fetchers) results.push(await pingTarget(fetcher, options));
    if (options.json) printJson({ targets: results.map(summary) });
    return results.some(({ lost }) => lost > 0) ? exitCodes.failed : exitCodes.done;
  } finally {
    await fabric.close();
  }
}

async function pingTarget(fetcher: NeedleFetcher, options: PingOptions): Promise<TargetPings> {
  const transport = fetcher.state.kind === 'up' ? fetcher.state.transport : 'unknown';
  const say = options.json ? () => undefined : print;
  say(`target ${fetcher.address} over ${transport}`);
  const roundTripsUs: number[] = [];
  let lost = 0;
  for (let sequence = 1; sequence <= options.count; sequence += 1) {
    if (sequence > 1) await pause(options.intervalMs);
    const result = await fetcher.ping(options.timeoutMs);
    if (result.kind === 'failed') {
      lost += 1;
      say(`  ${sequence}: ${result.status}`);
      continue;
    }
    roundTripsUs.push(result.roundTripUs);
    const { requestsInFlight, sessions, arenaBytesUsed, arenaBytes: total } = result;
    const used = `arena ${arenaBytesUsed} of ${total} bytes`;
    say(
      `  ${sequence}: ${result.roundTripUs.toFixed(1)} µs  sessions ${sessions}  in flight ${requestsInFlight}  ${used}`,
    );
  }
  say(`  ${formatPercentiles('round trip', percentiles(roundTripsUs))}, ${lost} lost`);
  return { target: fetcher.address, transport, sent: options.count, lost, roundTripsUs };
}

function summary({ target, transport, sent, lost, roundTripsUs }: TargetPings): object {
  return { target, transport, sent, lost, roundTripUs: percentiles(roundTripsUs), roundTripsUs };
}
