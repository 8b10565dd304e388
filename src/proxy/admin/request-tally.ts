/** The traffic accounting in plain numbers, for /health and /stats. */
import type { RequestRecord } from '../outcome.ts';

export interface RequestTotals {
  readonly requests: number;
  readonly outcomes: Readonly<Record<RequestRecord['outcome'], number>>;
  /** By reason; only what happened. */
  readonly passthrough: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  /** Reads answered here, by transport. */
  readonly transports: Readonly<Record<string, number>>;
  readonly bodyBytes: number;
}

export class RequestTally {
  readonly #outcomes = { cache: 0, rdma: 0, passthrough: 0, error: 0 };
  readonly #passthrough = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #transports = new Map<string, number>();
  #bodyBytes = 0;

  add(record: RequestRecord): void {
    this.#outcomes[record.outcome] += 1;
    this.#bodyBytes += record.bodyBytes;
    if (record.outcome === 'passthrough') increment(this.#passthrough, record.reason);
    else if (record.outcome === 'error') increment(this.#errors, record.reason);
    else increment(this.#transports, record.transport);
  }

  totals(): RequestTotals {
    const { cache, rdma, passthrough, error } = this.#outcomes;
    return {
      requests: cache + rdma + passthrough + error,
      outcomes: { ...this.#outcomes },
      passthrough: Object.fromEntries(this.#passthrough),
      errors: Object.fromEntries(this.#errors),
      transports: Object.fromEntries(this.#transports),
      bodyBytes: this.#bodyBytes,
    };
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
