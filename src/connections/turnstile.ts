/**
 * Spreads the work of requests that came together over turns of the event loop. Thousands in one packet then take as long as they did, but what
 * comes meanwhile on other sockets of the process, a kubelet's probe or a read, is served between them.
 */

/** Turns between two that the waiting ones have: the event loop accepts one connection a turn. */
export const turnsBetween: number = 32;
/** After so long without a request the process was idle, or has served others: a new turn. */
const gapMs = 2;

export class Turnstile {
  readonly #budgetMs: number;
  readonly #waiting: (() => void)[] = [];
  /** Ends the budget of this turn. */
  #endMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #isInside = false;
  #isOpening = false;
  /** The next entry is that of the one that was called in. */
  #isCalledIn = false;

  /** @param budgetMs requests may be handled for so long in a turn; 0: one request */
  constructor(budgetMs: number) {
    this.#budgetMs = budgetMs;
  }

  /** False: the turn's time is over, or others wait; see {@link wait}. Else {@link leave} is to be called. */
  enter(): boolean {
    if (this.#waiting.length > 0 && !this.#isOpening) return false;
    const nowMs = performance.now();
    if (this.#isCalledIn) {
      this.#isCalledIn = false;
      this.#isInside = true;
      return true;
    }
    if (!this.#isInside && nowMs - this.#lastMs > gapMs) this.#endMs = nowMs + this.#budgetMs;
    this.#isInside = nowMs < this.#endMs;
    return this.#isInside;
  }

  /** To be called when the work of one or more entries is done, as far as it is done at once; without an entry it does nothing. */
  leave(): void {
    if (!this.#isInside) return;
    this.#isInside = false;
    this.#lastMs = performance.now();
  }

  /** Does `work` now, or in a later turn. */
  do(work: () => void): void {
    if (!this.enter()) {
      this.wait(work);
      return;
    }
    work();
    this.leave();
  }

  /** Calls `go` in a later turn, after those that wait already. */
  wait(go: () => void): void {
    this.#waiting.push(go);
    if (this.#waiting.length === 1 && !this.#isOpening) setImmediate(this.#open);
  }

  #openLater(turns: number): void {
    if (turns === 0) setImmediate(this.#open);
    else setImmediate(() => this.#openLater(turns - 1));
  }

  readonly #open = (): void => {
    this.#isOpening = true;
    this.#endMs = performance.now() + this.#budgetMs;
    this.#lastMs = this.#endMs;
    let left = this.#waiting.length;
    try {
      do {
        left -= 1;
        this.#isCalledIn = true;
        this.#waiting.shift()?.();
      } while (left > 0 && performance.now() < this.#endMs);
    } finally {
      this.#isOpening = false;
      this.#isCalledIn = false;
      if (this.#waiting.length > 0) this.#openLater(turnsBetween);
    }
  };
}

/** The place of a connection at a turnstile: it waits there once, whatever comes meanwhile. */
export class Turn {
  readonly #turnstile: Turnstile;
  readonly #goOn: () => void;
  #isWaiting = false;

  /** @param goOn is called in a later turn, where {@link enter} answered false */
  constructor(turnstile: Turnstile, goOn: () => void) {
    this.#turnstile = turnstile;
    this.#goOn = goOn;
  }

  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  enter(): boolean {
    if (this.#turnstile.enter()) return true;
    this.#isWaiting = true;
    this.#turnstile.wait(this.#isCalled);
    return false;
  }

  leave(): void {
    this.#turnstile.leave();
  }

  readonly #isCalled = (): void => {
    this.#isWaiting = false;
    this.#goOn();
  };
}
