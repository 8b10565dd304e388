/** The exact traffic accounting, in plain numbers: what /metrics, /health and /stats tell. */
import {
  outcomes,
  type RequestObserver,
  type RequestRecord,
  reasons,
} from '../../needle/outcome.ts';
import {
  count,
  described,
  mapOf,
  record,
  recordOf,
  type ValueOf,
} from '../../schema/json-schema.ts';

export const requestTotals = record({
  requests: count,
  outcomes: recordOf(outcomes, count),
  passthrough: described(mapOf(count), 'Counts by reason; only reasons that occurred.'),
  errors: mapOf(count),
  transports: described(mapOf(count), 'Reads answered here, by transport.'),
  bodyBytes: count,
});
export type RequestTotals = ValueOf<typeof requestTotals>;

export interface RequestSeries {
  readonly outcome: RequestRecord['outcome'];
  readonly reason: RequestRecord['reason'];
  readonly transport: string;
  count: number;
}

type ByReason = Map<RequestRecord['reason'], Map<string, RequestSeries>>;

export class RequestLedger {
  readonly series: readonly RequestSeries[];
  readonly bodyBytes: Record<RequestRecord['outcome'], number>;
  readonly #all: RequestSeries[] = [];
  readonly #byOutcome: Readonly<Record<RequestRecord['outcome'], ByReason>>;

  constructor() {
    this.series = this.#all;
    this.bodyBytes = { cache: 0, rdma: 0, passthrough: 0, error: 0 };
    this.#byOutcome = {
      cache: new Map(),
      rdma: new Map(),
      passthrough: new Map(),
      error: new Map(),
    };
    // An alert on a reason needs the series before its first request.
    for (const reason of reasons) this.#add('passthrough', reason, 'none');
  }

  /** Nested maps of strings that exist already: nothing is allocated for a request. */
  readonly observe: RequestObserver = ({ outcome, reason, transport, bodyBytes }) => {
    const series =
      this.#byOutcome[outcome].get(reason)?.get(transport) ?? this.#add(outcome, reason, transport);
    series.count += 1;
    this.bodyBytes[outcome] += bodyBytes;
  };

  totals(): RequestTotals {
    const outcomes = { cache: 0, rdma: 0, passthrough: 0, error: 0 };
    const passthrough: Record<string, number> = {};
    const errors: Record<string, number> = {};
    const transports: Record<string, number> = {};
    for (const { outcome, reason, transport, count } of this.#all) {
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
  ): RequestSeries {
    const byReason = this.#byOutcome[outcome];
    const byTransport = byReason.get(reason) ?? new Map<string, RequestSeries>();
    byReason.set(reason, byTransport);
    const series = { outcome, reason, transport, count: 0 };
    byTransport.set(transport, series);
    this.#all.push(series);
    return series;
  }
}
