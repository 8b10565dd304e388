/**
 * Keeps requests away from a target that answers too late or not at all. Closed: everything goes. Open: nothing goes
 * until the pause is over. Half open: one request probes; its success closes the breaker, its failure doubles the pause.
 */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  readonly pauseMs: number;
  readonly pauseMsMax: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export const breakerDefaults: BreakerOptions = {
  failuresMax: 5,
  pauseMs: 500,
  pauseMsMax: 10_000,
  now: () => performance.now(),
};

export type BreakerState = 'closed' | 'open' | 'half-open';

export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #pauseMs: number;
  #openUntil = 0;
  #state: BreakerState = 'closed';
  #probeSentAt = 0;
  #opens = 0;

  constructor(options: BreakerOptions = breakerDefaults) {
    this.#options = options;
    this.#pauseMs = options.pauseMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How often it opened. */
  get opens(): number {
    return this.#opens;
  }

  /** True when this request may go; in half open that makes it the probe. */
  admit(): boolean {
    if (this.#state === 'closed') return true;
    const now = this.#options.now();
    if (this.#state === 'open') {
      if (now < this.#openUntil) return false;
      this.#state = 'half-open';
      this.#probeSentAt = now;
      return true;
    }
    // A probe that was never reported back must not keep the breaker half open for ever.
    if (now - this.#probeSentAt < this.#options.pauseMsMax) return false;
    this.#probeSentAt = now;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#pauseMs = this.#options.pauseMs;
  }

  failed(): void {
    this.#failures += 1;
    if (this.#state === 'half-open') {
      this.#pauseMs = Math.min(this.#pauseMs * 2, this.#options.pauseMsMax);
    } else if (this.#state === 'open' || this.#failures < this.#options.failuresMax) {
      return;
    }
    this.#state = 'open';
    this.#opens += 1;
    this.#openUntil = this.#options.now() + this.#pauseMs;
  }
}
