/** Tables of what is asked for, or who asks, that know what was used lately. */
import { type Outcome, outcomes, type RequestRecord } from '../../needle/request-record.ts';
import type { TrafficCounts } from './clients-status.ts';

type Reasons = Map<RequestRecord['reason'], number>;

/** Time constants of the two averages: one is shown, the other decides which row leaves. */
const shownSeconds = 5;
const keptSeconds = 60;
/** Requests per second below which a row is at rest. */
const restPerSecond = 0.005;

/** Counts of what is asked for, or who asks. */
export class HotRow {
  readonly outcomes: Record<Outcome, number> = { cache: 0, rdma: 0, passthrough: 0, error: 0 };
  requests = 0;
  bodyBytes = 0;
  perSecond = 0;
  /** How much it was used lately. */
  score = 0;
  /** undefined: every request was answered here. */
  #reasons: { readonly passthrough: Reasons; readonly errors: Reasons } | undefined;
  #sinceTick = 0;

  /** `weight`: how many requests this one stands for. */
  add({ outcome, reason, bodyBytes }: RequestRecord, weight = 1): void {
    this.addSome(outcome, weight, bodyBytes * weight);
    if (reason !== '') this.#addReason(outcome, reason, weight);
  }

  /** Requests without a reason, all of one outcome. */
  addSome(outcome: Outcome, requests: number, bodyBytes: number): void {
    this.requests += requests;
    this.outcomes[outcome] += requests;
    this.bodyBytes += bodyBytes;
    this.score += requests;
    this.#sinceTick += requests;
  }

  #addReason(outcome: Outcome, reason: RequestRecord['reason'], weight: number): void {
    this.#reasons ??= { passthrough: new Map(), errors: new Map() };
    const { passthrough, errors } = this.#reasons;
    const counts = outcome === 'error' ? errors : passthrough;
    counts.set(reason, (counts.get(reason) ?? 0) + weight);
  }

  /** Called every so often. False: it is at rest. */
  tick(seconds: number): boolean {
    const rate = this.#sinceTick / seconds;
    this.#sinceTick = 0;
    this.perSecond += (rate - this.perSecond) * (1 - Math.exp(-seconds / shownSeconds));
    this.score *= Math.exp(-seconds / keptSeconds);
    if (this.perSecond >= restPerSecond) return true;
    this.perSecond = 0;
    return this.score >= restPerSecond;
  }

  /** Takes over the counts of a row that left. */
  absorb(gone: HotRow): void {
    this.requests += gone.requests;
    this.bodyBytes += gone.bodyBytes;
    for (const outcome of outcomes) this.outcomes[outcome] += gone.outcomes[outcome];
    const { passthrough = [], errors = [] } = gone.#reasons ?? {};
    for (const [reason, count] of passthrough) this.#addReason('passthrough', reason, count);
    for (const [reason, count] of errors) this.#addReason('error', reason, count);
  }

  counts(): TrafficCounts {
    return {
      perSecond: Math.round(this.perSecond * 100) / 100,
      requests: this.requests,
      outcomes: { ...this.outcomes },
      passthrough: Object.fromEntries(this.#reasons?.passthrough ?? []),
      errors: Object.fromEntries(this.#reasons?.errors ?? []),
      bodyBytes: this.bodyBytes,
    };
  }
}

/**
 * A table whose length is fixed: when it is full, the row that was used least lately makes room. What a row has counted is
 * exact for as long as it stays; counts of rows that left are kept in one sum.
 */
export class HotRows<Row extends HotRow> {
  /** Sum of the rows that left. */
  readonly gone: HotRow = new HotRow();
  /** How many left. */
  goneCount = 0;
  readonly #rows: Row[] = [];
  readonly #rowsMax: number;
  readonly #onGone: (row: Row) => void;

  /** `onGone`: called when a row leaves, so that its holder forgets it. */
  constructor(rowsMax: number, onGone: (row: Row) => void) {
    this.#rowsMax = rowsMax;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#rows.length;
  }

  admit(row: Row): Row {
    if (this.#rows.length < this.#rowsMax) {
      this.#rows.push(row);
      return row;
    }
    const place = this.#leastUsed();
    const gone = this.#rows[place] as Row;
    this.#rows[place] = row;
    this.gone.absorb(gone);
    this.goneCount += 1;
    this.#onGone(gone);
    return row;
  }

  tick(seconds: number): boolean {
    let isBusy = false;
    for (const row of this.#rows) isBusy = row.tick(seconds) || isBusy;
    return isBusy;
  }

  /** The busiest first. */
  busiest(countMax: number): readonly Row[] {
    return this.#rows
      .toSorted((a, b) => b.perSecond - a.perSecond || b.requests - a.requests)
      .slice(0, countMax);
  }

  #leastUsed(): number {
    let least = 0;
    for (let at = 1; at < this.#rows.length; at += 1) {
      if ((this.#rows[at] as Row).score < (this.#rows[least] as Row).score) least = at;
    }
    return least;
  }
}
