/** All that a proxy counts and times while requests run, in plain numbers: what /metrics, /health and /stats tell. */
import { reasons } from '../../needle/reasons.ts';
import { outcomes, type RequestObserver, type RequestRecord } from '../../needle/request-record.ts';
import type { Validation } from '../../proxy/cache/group-validation.ts';
import type { SidecarObserver } from '../../proxy/sidecar/sidecar-ledger.ts';
import type { NativeTally } from '../../rdma/native-lane-types.ts';
import type { ReadRecord } from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import {
  count,
  described,
  mapOf,
  record,
  recordOf,
  type ValueOf,
} from '../../schema/json-schema.ts';
import { validationWait } from './cache.ts';
import { type OperationCounts, operationDuration } from './fabric.ts';
import type { HistogramRow, HistogramSeries } from './metric-row.ts';
import { sidecarDuration } from './sidecar.ts';
import { type RequestCounts, type RequestSeries, requestDuration } from './traffic.ts';

export const requestTotals = record({
  requests: count,
  outcomes: recordOf(outcomes, count),
  passthrough: described(mapOf(count), 'Counts by reason; only reasons that occurred.'),
  errors: mapOf(count),
  transports: described(mapOf(count), 'Reads answered here, by transport.'),
  bodyBytes: count,
});
export type RequestTotals = ValueOf<typeof requestTotals>;

/** The target looked and told what it found: the fabric did its work. */
const answeredStatuses: ReadonlySet<StatusName> = new Set([
  'ok',
  'not_found',
  'deleted',
  'cookie_mismatch',
  'expired',
  'empty',
  'too_large',
  'unsupported_volume',
  'unknown_volume',
  'volume_unconfirmed',
]);

type CountedSeries = { -readonly [K in keyof RequestSeries]: RequestSeries[K] };
type ByReason = Map<RequestRecord['reason'], Map<string, CountedSeries>>;

export class ProxyLedger implements RequestCounts {
  readonly series: CountedSeries[] = [];
  readonly bodyBytes: Record<RequestRecord['outcome'], number> = newCounts();
  readonly requestDurations = durationsOf(requestDuration);
  readonly operationDurations = durationsOf(operationDuration);
  readonly validationWaits = durationsOf(validationWait);
  readonly sidecarDurations = durationsOf(sidecarDuration);
  readonly #operations = { successes: 0, errors: 0, bytesReceived: 0 };
  readonly #byOutcome: Readonly<Record<RequestRecord['outcome'], ByReason>> = {
    cache: new Map(),
    rdma: new Map(),
    passthrough: new Map(),
    error: new Map(),
  };

  constructor() {
    // An alert on a reason needs the series before its first request.
    for (const reason of reasons) this.#add('passthrough', reason, 'none');
  }

  /** One call per finished request. Nested maps of strings that exist already: nothing is allocated for a request. */
  readonly observe: RequestObserver = ({ outcome, reason, transport, bodyBytes, durationMs }) => {
    const series =
      this.#byOutcome[outcome].get(reason)?.get(transport) ?? this.#add(outcome, reason, transport);
    series.count += 1;
    this.bodyBytes[outcome] += bodyBytes;
    this.requestDurations[outcome].observe(durationMs);
  };

  /** Requests that lanes have answered since the last call, all from the cache. */
  lanesAnswered({ requests, bytes, durations, waits }: NativeTally): void {
    const series = this.#byOutcome.cache.get('')?.get('none') ?? this.#add('cache', '', 'none');
    series.count += requests;
    this.bodyBytes.cache += bytes;
    this.requestDurations.cache.add(durations.counts, durations.seconds);
    this.validationWaits.checked.add(waits.counts, waits.seconds);
  }

  /** One call per read that a target was asked for. */
  readonly readEnded = ({ status, durationMs, bytesReceived }: ReadRecord): void => {
    if (answeredStatuses.has(status)) this.#operations.successes += 1;
    else this.#operations.errors += 1;
    this.#operations.bytesReceived += bytesReceived;
    this.operationDurations.read.observe(durationMs);
  };

  /** One call per hit that waited for a VALIDATE. */
  readonly validationWaited = (waitedMs: number, said: Validation['kind']): void =>
    this.validationWaits[said].observe(waitedMs);

  /** One call per finished request to the sidecar. */
  readonly observeSidecar: SidecarObserver = ({ path, durationMs }) =>
    this.sidecarDurations[path].observe(durationMs);

  get operations(): OperationCounts {
    return this.#operations;
  }

  totals(): RequestTotals {
    const outcomes = newCounts();
    const passthrough: Record<string, number> = {};
    const errors: Record<string, number> = {};
    const transports: Record<string, number> = {};
    for (const { outcome, reason, transport, count } of this.series) {
      if (count === 0) continue;
      outcomes[outcome] += count;
      const [counts, key] =
        outcome === 'passthrough'
          ? [passthrough, reason]
          : outcome === 'error'
            ? [errors, reason]
            : [transports, transport];
      counts[key] = (counts[key] ?? 0) + count;
    }
    return {
      requests: outcomes.cache + outcomes.rdma + outcomes.passthrough + outcomes.error,
      outcomes,
      passthrough,
      errors,
      transports,
      bodyBytes: Object.values(this.bodyBytes).reduce((sum, bytes) => sum + bytes, 0),
    };
  }

  #add(
    outcome: RequestRecord['outcome'],
    reason: RequestRecord['reason'],
    transport: string,
  ): CountedSeries {
    const byReason = this.#byOutcome[outcome];
    const byTransport = byReason.get(reason) ?? new Map<string, CountedSeries>();
    byReason.set(reason, byTransport);
    const series = { outcome, reason, transport, count: 0 };
    byTransport.set(transport, series);
    this.series.push(series);
    return series;
  }
}

function newCounts(): Record<RequestRecord['outcome'], number> {
  return { cache: 0, rdma: 0, passthrough: 0, error: 0 };
}

function durationsOf<Value extends string>({
  labelValues,
  buckets,
}: HistogramRow<Value>): Readonly<Record<Value, Durations>> {
  const series = labelValues.map((value) => [value, new Durations(buckets)]);
  return Object.fromEntries(series) as Record<Value, Durations>;
}

/**
 * The buckets of one label value. prom-client's own histogram takes over 1 µs for each value, as much as a small read's
 * whole share of bookkeeping; this takes an addition or two.
 */
export class Durations implements HistogramSeries {
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  /** `bounds` in seconds. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** `counts`: of these very buckets; empty: none. */
  add(counts: Float64Array, seconds: number): void {
    for (let bucket = 0; bucket < counts.length; bucket += 1) {
      this.counts[bucket] = (this.counts[bucket] as number) + (counts[bucket] as number);
    }
    this.sum += seconds;
  }

  observe(ms: number): void {
    const seconds = ms / 1000;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += seconds;
  }
}
