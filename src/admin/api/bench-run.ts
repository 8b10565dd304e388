/** A closed loop of reads through the proxy's own listener: as many at a time as asked for, one after the other each. */
import { outcomes } from '../../needle/request-record.ts';
import {
  amount,
  count,
  described,
  oneOf,
  record,
  recordOf,
  type ValueOf,
} from '../../schema/json-schema.ts';
import { nearestRank } from '../../telemetry/percentiles.ts';
import { pathOfFid } from './fids.ts';
import { drained, type OwnListener, type ReadOutcome, readOutcomeOf } from './own-listener.ts';

export interface BenchPlan {
  /** Read in turn. At least one. */
  readonly fids: readonly string[];
  readonly iterations: number;
  /** Bytes to read from the start of each needle; 0: all of it. */
  readonly size: number;
  readonly depth: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborted when the client that asked is gone. */
  readonly signal: AbortSignal;
}

export interface BenchLimits {
  readonly msMax: number;
  readonly bytesMax: number;
}

export const benchResult = record({
  requests: described(count, 'Finished, well or not.'),
  seconds: amount,
  perSecond: amount,
  bytesPerSecond: amount,
  latencyUs: record({ p50: amount, p90: amount, p99: amount, max: amount }),
  outcomes: recordOf([...outcomes, 'unknown'], count),
  ended: described(oneOf('done', 'time', 'bytes'), 'time, bytes: a limit came first.'),
});
export type BenchResult = ValueOf<typeof benchResult>;

/** Rejects when the client that asked is gone. */
export async function runBench(
  listener: OwnListener,
  plan: BenchPlan,
  limits: BenchLimits,
): Promise<BenchResult> {
  const run = new BenchRun(listener, plan, limits);
  return run.finish();
}

class BenchRun {
  readonly #listener: OwnListener;
  readonly #plan: BenchPlan;
  readonly #limits: BenchLimits;
  readonly #latenciesUs: Float64Array;
  readonly #outcomes = { cache: 0, rdma: 0, passthrough: 0, error: 0, unknown: 0 };
  readonly #startedAtMs = performance.now();
  #begun = 0;
  #finished = 0;
  #bytes = 0;

  constructor(listener: OwnListener, plan: BenchPlan, limits: BenchLimits) {
    this.#listener = listener;
    this.#plan = plan;
    this.#limits = limits;
    this.#latenciesUs = new Float64Array(plan.iterations);
  }

  async finish(): Promise<BenchResult> {
    const workers = Math.min(this.#plan.depth, this.#plan.iterations);
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
    this.#plan.signal.throwIfAborted();
    const seconds = this.#elapsedMs / 1000;
    const sorted = this.#latenciesUs.subarray(0, this.#finished).sort();
    return {
      requests: this.#finished,
      seconds: rounded(seconds, 6),
      perSecond: rounded(this.#finished / seconds, 1),
      bytesPerSecond: Math.round(this.#bytes / seconds),
      latencyUs: {
        p50: rounded(nearestRank(sorted, 0.5), 1),
        p90: rounded(nearestRank(sorted, 0.9), 1),
        p99: rounded(nearestRank(sorted, 0.99), 1),
        max: rounded(nearestRank(sorted, 1), 1),
      },
      outcomes: this.#outcomes,
      ended: this.#limitReached ?? 'done',
    };
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  /** undefined: it may go on. */
  get #limitReached(): 'time' | 'bytes' | undefined {
    if (this.#finished === this.#plan.iterations) return undefined;
    if (this.#elapsedMs >= this.#limits.msMax) return 'time';
    return this.#bytes >= this.#limits.bytesMax ? 'bytes' : undefined;
  }

  async #work(): Promise<void> {
    const { iterations, signal } = this.#plan;
    while (this.#begun < iterations && !signal.aborted && this.#limitReached === undefined) {
      this.#begun += 1;
      await this.#read(this.#begun);
    }
  }

  async #read(turn: number): Promise<void> {
    const { fids, size, headers, signal } = this.#plan;
    const range: Record<string, string> = size === 0 ? {} : { range: `bytes=0-${size - 1}` };
    const path = pathOfFid(fids[turn % fids.length] as string);
    const askedAtMs = performance.now();
    let outcome: ReadOutcome['outcome'] = 'error';
    try {
      const answer = await this.#listener.get({ path, headers: { ...headers, ...range }, signal });
      this.#bytes += await drained(answer);
      outcome = readOutcomeOf(answer.headers, answer.statusCode ?? 0).outcome;
    } catch {
      if (signal.aborted) return;
    }
    this.#outcomes[outcome] += 1;
    this.#latenciesUs[this.#finished] = (performance.now() - askedAtMs) * 1000;
    this.#finished += 1;
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
