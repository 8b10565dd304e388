/**
 * Asks at a constant rate, whatever the server does meanwhile: a latency runs from when its request was due, so that time
 * spent in a queue, this one's or the server's, is part of it. Requests that are due wait for a free connection.
 */
import { nearestRank } from '../src/telemetry/percentiles.ts';
import { BareClient, requestsFor } from './load.ts';
import type { Needles } from './needles.ts';

export interface OpenLoopOptions {
  readonly port: number;
  readonly needles: Needles;
  readonly requestsPerSecond: number;
  readonly connections: number;
  readonly seconds: number;
  /** At the start, asked for and not counted. */
  readonly warmUpSeconds: number;
}

export interface OpenLoopRun {
  /** Counted. */
  readonly requests: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** How late the load generator sent what had a free connection: its own share of the latency. */
  readonly lateP99Us: number;
  /** The load generator's share of a core. Near 1 it is the limit, and the latencies are its own. */
  readonly generatorBusy: number;
  /** Not answered in time; they count as having taken until then. */
  readonly unanswered: number;
}

/** Timers are too coarse: it looks for what is due and what was answered about as often, and sleeps in between. */
const napMs = 0.02;
/** After the last request was due. */
const answersWithinMs = 5_000;

/** Rejects when an answer is anything but a whole 200. */
export async function askOpenLoop(options: OpenLoopOptions): Promise<OpenLoopRun> {
  const { port, needles, connections } = options;
  const clients = Array.from({ length: connections }, () => new BareClient(port));
  try {
    await Promise.all(clients.map((client) => client.connected()));
    return await new OpenLoop(clients, requestsFor(needles), options).run();
  } finally {
    for (const client of clients) client.close();
  }
}

class OpenLoop {
  readonly #free: BareClient[];
  readonly #requests: readonly Buffer[];
  readonly #bodyBytes: number;
  readonly #periodMs: number;
  /** Before the first that counts, and in all. */
  readonly #warmUpCount: number;
  readonly #count: number;
  readonly #latenciesUs: number[] = [];
  readonly #latesUs: number[] = [];
  /** Numbers of requests that are under way. */
  readonly #asked = new Set<number>();
  readonly #finished: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  #startedAt = 0;
  /** The next one that is to be sent. */
  #next = 0;
  /** Something is due and no connection is free: who is late then is the server. */
  #isExhausted = false;

  constructor(
    clients: readonly BareClient[],
    requests: readonly Buffer[],
    { needles, requestsPerSecond, seconds, warmUpSeconds }: OpenLoopOptions,
  ) {
    this.#free = [...clients];
    this.#requests = requests;
    this.#bodyBytes = needles.bytes;
    this.#periodMs = 1e3 / requestsPerSecond;
    this.#warmUpCount = Math.floor(warmUpSeconds * requestsPerSecond);
    this.#count = this.#warmUpCount + Math.floor(seconds * requestsPerSecond);
  }

  async run(): Promise<OpenLoopRun> {
    const cpu = process.cpuUsage();
    this.#startedAt = performance.now();
    this.#turn();
    await this.#finished.promise;
    const { user, system } = process.cpuUsage(cpu);
    const tookUs = (performance.now() - this.#startedAt) * 1e3;
    const unanswered = this.#countUnanswered();
    const of = quantiles(this.#latenciesUs);
    return {
      requests: this.#latenciesUs.length,
      p50Us: of(0.5),
      p99Us: of(0.99),
      p999Us: of(0.999),
      lateP99Us: quantiles(this.#latesUs)(0.99),
      generatorBusy: Math.round(((user + system) / tookUs) * 100) / 100,
      unanswered,
    };
  }

  #dueAt(index: number): number {
    return this.#startedAt + index * this.#periodMs;
  }

  #turn(): void {
    const now = performance.now();
    this.#sendDue(now);
    const isOver = now > this.#dueAt(this.#count) + answersWithinMs;
    const isDone = this.#next === this.#count && this.#asked.size === 0;
    if (isOver || isDone) {
      this.#finished.resolve();
      return;
    }
    if (this.#dueAt(this.#next) > now + napMs / 2) Atomics.wait(this.#nap, 0, 0, napMs);
    setImmediate(() => this.#turn());
  }

  #sendDue(now: number): void {
    while (this.#next < this.#count && this.#dueAt(this.#next) <= now) {
      const client = this.#free.pop();
      if (client === undefined) {
        this.#isExhausted = true;
        return;
      }
      const index = this.#next;
      this.#next += 1;
      if (!this.#isExhausted && index >= this.#warmUpCount) {
        this.#latesUs.push((now - this.#dueAt(index)) * 1e3);
      }
      this.#ask(client, index);
    }
    this.#isExhausted = false;
  }

  #ask(client: BareClient, index: number): void {
    this.#asked.add(index);
    const request = this.#requests[index % this.#requests.length] as Buffer;
    client.get(request, this.#bodyBytes).then(
      () => {
        const now = performance.now();
        this.#asked.delete(index);
        this.#note(index, now);
        this.#free.push(client);
        this.#sendDue(now);
      },
      (error: unknown) => this.#finished.reject(error),
    );
  }

  #note(index: number, answeredAt: number): void {
    if (index < this.#warmUpCount) return;
    this.#latenciesUs.push((answeredAt - this.#dueAt(index)) * 1e3);
  }

  /** Those under way, and those that never got a connection. */
  #countUnanswered(): number {
    const now = performance.now();
    const left = [...this.#asked];
    for (let index = this.#next; index < this.#count; index += 1) left.push(index);
    for (const index of left) this.#note(index, now);
    return left.length;
  }
}

function quantiles(values: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(values).sort();
  return (share) => Math.round(nearestRank(sorted, share) * 10) / 10;
}
