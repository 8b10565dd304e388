/**
 * Tells the reads that wait for one target when they have waited for longer than nearly all reads do: they then ask the
 * volume server, too. Late is what takes longer than the 99th percentile of the target's latest READs, within two bounds. A
 * budget keeps the volume server from a load that it was spared: a target that is slow for all its reads has few of them hedged.
 *
 * A late read also makes the breaker ask the target for a sign of life. If the target gives none, every read that waits
 * is hedged at once, whatever the budget: they would have been forwarded, had it been known.
 */
import type { Breaker } from './breaker.ts';
import type { HedgeCounts, HedgeWinner } from './fleet-status.ts';
import { RecentTimes } from './recent-times.ts';

export interface HedgeOptions {
  /** No read is late before this: where reads take microseconds, the slowest in a hundred are quick enough. */
  readonly afterMsMin: number;
  /** Every read is late after this, and before enough READs were timed. */
  readonly afterMsMax: number;
  /** Hedged reads in a hundred that waited for the target. */
  readonly percentMax: number;
}

/** A read that waits for the target. */
export interface WaitingRead {
  /** False: the volume server cannot be asked. Calls `began` and `ended` no more than otherwise. */
  hedge(): boolean;
}

/** Hedged reads that may come at once after a quiet time; what is saved up beyond it is lost. */
export const hedgesAtOnceMax = 50;
/** So that the first late reads after the start are hedged. */
const firstTokens = 10;
/** Few times tell nothing about one in a hundred. */
export const samplesMin = 100;
const percentile = 0.99;

export class Hedging {
  readonly #options: HedgeOptions;
  readonly #breaker: Breaker;
  readonly #times = new RecentTimes(percentile, samplesMin);
  /** Since when, the one that waits longest first. */
  readonly #waiting = new Map<WaitingRead, number>();
  /** Late, and over the budget. */
  readonly #refused = new Set<WaitingRead>();
  readonly #counts = {
    late: 0,
    silent: 0,
    refused: 0,
    winners: { http: 0, fabric: 0, neither: 0 },
  };
  #tokens = firstTokens;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: HedgeOptions, breaker: Breaker) {
    this.#options = options;
    this.#breaker = breaker;
    breaker.onChange(({ state }) => {
      if (state === 'open') this.#hedgeAll();
    });
  }

  /** A read that has waited for longer is late. */
  get afterMs(): number {
    const { afterMsMin, afterMsMax } = this.#options;
    return Math.min(afterMsMax, Math.max(afterMsMin, this.#times.value ?? afterMsMax));
  }

  get counts(): HedgeCounts {
    return { ...this.#counts, winners: { ...this.#counts.winners }, afterMs: this.afterMs };
  }

  /** The read waits for the target. */
  began(read: WaitingRead): void {
    this.#tokens = Math.min(hedgesAtOnceMax, this.#tokens + this.#options.percentMax / 100);
    this.#waiting.set(read, performance.now());
    this.#lookIn(this.afterMs);
  }

  /** The read has its answer, or will have none. @param winner undefined: it was not hedged */
  ended(read: WaitingRead, winner: HedgeWinner | undefined): void {
    if (!this.#waiting.delete(read)) this.#refused.delete(read);
    if (winner !== undefined) this.#counts.winners[winner] += 1;
  }

  /** A READ ended after this long: with its needle, or at its deadline. */
  took(durationMs: number): void {
    this.#times.add(durationMs);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** After the sockets were polled: where this process itself was late, answers may be there already. */
  #lookIn(ms: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => setImmediate(this.#look), Math.max(1, ms)).unref();
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const nowMs = performance.now();
    const { afterMs } = this;
    for (const [read, sinceMs] of this.#waiting) {
      const leftMs = sinceMs + afterMs - nowMs;
      if (leftMs > 0) {
        this.#lookIn(leftMs);
        return;
      }
      this.#waiting.delete(read);
      this.#late(read);
    }
  };

  #late(read: WaitingRead): void {
    this.#breaker.doubt();
    if (this.#tokens < 1) {
      this.#counts.refused += 1;
      this.#refused.add(read);
    } else if (read.hedge()) {
      this.#tokens -= 1;
      this.#counts.late += 1;
    }
  }

  #hedgeAll(): void {
    const all = [...this.#refused, ...this.#waiting.keys()];
    this.#refused.clear();
    this.#waiting.clear();
    for (const read of all) if (read.hedge()) this.#counts.silent += 1;
  }
}
