/**
 * A simulation of many proxies whose target goes away and comes back, on a clock of its own. The target takes one
 * handshake after the other. One whose proxy has given up before its turn still costs it a part: it reads the greeting
 * and answers before it sees the end.
 */

export interface RestartOptions {
  readonly proxies: number;
  /** Attempts before this moment are refused at once. All sessions are lost at 0. */
  readonly backAtMs: number;
  readonly handshakesPerSecond: number;
  /** What a handshake costs that was given up before its turn, in handshakes. */
  readonly abandonedCost: number;
  /** A proxy gives an attempt up after this. */
  readonly connectTimeoutMs: number;
  /** The pauses of one proxy, each in milliseconds; called after each failure. */
  readonly pauses: () => () => number;
}

export interface RestartReport {
  /** A second, over the last five before the target is back. */
  readonly attemptsPerSecondAway: number;
  /** Since the target is back. */
  readonly attempts: number;
  /** The most attempts that reached the target within 100 ms. */
  readonly peakPer100Ms: number;
  /** Since the target is back, until 99 % and all of the proxies were connected; Infinity: not within a minute. */
  readonly mostConnectedMs: number;
  readonly allConnectedMs: number;
}

interface Attempt {
  readonly atMs: number;
  readonly proxy: number;
}

const windowMs = 100;
const awayMs = 5_000;
const watchedMs = 60_000;

export function restartTarget(options: RestartOptions): RestartReport {
  const { proxies, backAtMs, connectTimeoutMs } = options;
  const serviceMs = 1_000 / options.handshakesPerSecond;
  const pauseOf = Array.from({ length: proxies }, options.pauses);
  const due = new DueAttempts();
  const again = (proxy: number, fromMs: number): void =>
    due.add({ proxy, atMs: fromMs + (pauseOf[proxy] as () => number)() });
  for (let proxy = 0; proxy < proxies; proxy += 1) again(proxy, 0);
  const arrivals: number[] = [];
  const connectedAt: number[] = [];
  let refusedLately = 0;
  let freeAtMs = backAtMs;
  for (let attempt = due.first(); attempt !== undefined; attempt = due.first()) {
    const { atMs, proxy } = attempt;
    if (atMs < backAtMs) {
      if (atMs >= backAtMs - awayMs) refusedLately += 1;
      again(proxy, atMs);
      continue;
    }
    if (atMs > backAtMs + watchedMs) break;
    arrivals.push(atMs);
    const turnMs = Math.max(freeAtMs, atMs);
    const isAbandoned = turnMs - atMs > connectTimeoutMs;
    freeAtMs = turnMs + serviceMs * (isAbandoned ? options.abandonedCost : 1);
    if (freeAtMs - atMs <= connectTimeoutMs) connectedAt.push(freeAtMs);
    else again(proxy, atMs + connectTimeoutMs);
  }
  connectedAt.sort((a, b) => a - b);
  return {
    attemptsPerSecondAway: refusedLately / (awayMs / 1_000),
    attempts: arrivals.length,
    peakPer100Ms: peakOf(arrivals),
    mostConnectedMs: (connectedAt[Math.ceil(proxies * 0.99) - 1] ?? Infinity) - backAtMs,
    allConnectedMs: (connectedAt[proxies - 1] ?? Infinity) - backAtMs,
  };
}

/** @param times ascending */
function peakOf(times: readonly number[]): number {
  let peak = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    while (time - (times[first] as number) >= windowMs) first += 1;
    peak = Math.max(peak, index - first + 1);
  }
  return peak;
}

/** A heap, the earliest attempt on top. */
class DueAttempts {
  readonly #heap: Attempt[] = [];

  add(attempt: Attempt): void {
    const heap = this.#heap;
    let at = heap.push(attempt) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((heap[above] as Attempt).atMs <= attempt.atMs) break;
      heap[at] = heap[above] as Attempt;
      at = above;
    }
    heap[at] = attempt;
  }

  /** Takes it; undefined: there is none. */
  first(): Attempt | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && right.atMs < (heap[below] as Attempt).atMs) below += 1;
      if ((heap[below] as Attempt).atMs >= last.atMs) break;
      heap[at] = heap[below] as Attempt;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}
