/** The lanes of a proxy, joined with what they answer from and with what counts their answers. No logic. */
import { validationWait } from '../admin/metrics/cache.ts';
import type { ProxyLedger } from '../admin/metrics/proxy-ledger.ts';
import { requestDuration } from '../admin/metrics/traffic.ts';
import type { TrafficWatch } from '../admin/traffic/traffic-watch.ts';
import type { NativeSample, NativeTally } from '../rdma/native-lane-types.ts';
import { CachedNeedle, CachedVolume } from './cache/cached-volume.ts';
import type { NeedleCache } from './cache/needle-cache.ts';
import type { LaneRoute } from './corridor/needle-route.ts';
import { copiedBytesMax } from './front/deliver.ts';
import { recordOf } from './front/lane-record.ts';
import type { FrontLimits } from './front/limits.ts';
import type { HttpFront } from './front/server.ts';
import { Lanes } from './lanes/lanes.ts';
import type { RequestWatch } from './proxy-options.ts';

export interface LaneParts {
  readonly count: number;
  readonly askersMin: number;
  readonly hasDebugHeaders: () => boolean;
  readonly limits: FrontLimits;
  readonly cache: NeedleCache;
  readonly route: LaneRoute;
  readonly ledger: ProxyLedger;
  readonly traffic: TrafficWatch;
  readonly watch: RequestWatch | undefined;
  /** undefined before it listens. */
  readonly front: () => HttpFront | undefined;
}

/** Throws RdmaUnavailableError where there is no native part. */
export function startLanes(parts: LaneParts): Lanes {
  const { count, askersMin, limits, cache, route, traffic, watch } = parts;
  const lanes = new Lanes({
    count,
    askersMin,
    limits,
    copiedBytesMax,
    durationBounds: requestDuration.buckets,
    waitBounds: validationWait.buckets,
    mustSeeAll: () => parts.hasDebugHeaders() || traffic.mustSeeAll || watch?.mustSeeAll() === true,
    ask: ({ owner }, settle) => {
      if (owner instanceof CachedVolume) route.ask(owner, settle);
      else settle(false);
    },
    onTally: (tally, from) => take(parts, tally, from),
  });
  cache.lanes = lanes;
  traffic.tail.onChange = () => lanes.adjust();
  traffic.onLook = () => void lanes.collect();
  return lanes;
}

const cellNumbers = 5;

function take(parts: LaneParts, tally: NativeTally, lanes: Lanes): void {
  if (tally.requests === 0) return;
  const { cache, ledger, traffic, front } = parts;
  ledger.lanesAnswered(tally);
  cache.countAnswered(tally.requests, tally.bytes, tally.validated);
  front()?.lanesAnswered(tally.requests);
  const { cells } = tally;
  for (let at = 0; at < cells.length; at += cellNumbers) {
    const [peer, agent, volume, requests, bytes] = cells.subarray(
      at,
      at + cellNumbers,
    ) as unknown as readonly [number, number, number, number, number];
    traffic.lanesAnswered({
      address: lanes.addresses.textOf(peer),
      userAgent: lanes.agents.textOf(agent),
      volumeId: lanes.volumeIdOf(volume),
      requests,
      bodyBytes: bytes,
    });
  }
  for (const sample of tally.samples) look(parts, sample, lanes);
}

function look({ cache, traffic, watch }: LaneParts, sample: NativeSample, lanes: Lanes): void {
  const holder = lanes.holderOf(sample.entry);
  if (holder instanceof CachedNeedle) cache.asked(holder, sample.weight);
  const record = recordOf(sample, lanes.addresses.textOf(sample.peer));
  if (record === undefined) return;
  traffic.lookAt(record, sample.weight);
  watch?.observeSome(record, sample.weight);
}
