/**
 * Spreads the work of requests that came together over turns of the event loop. Thousands in one packet then take as long as they did, but what
 * comes meanwhile on other sockets of the process, a kubelet's probe or a read, is served between them.
 */

/** Turns between two that the waiting ones have: the event loop accepts one connection a turn. */
export const turnsBetween: number = 32;
/** Turns after one in which all that waited were let in: a new connection is accepted, sends, and is answered in some four. */
export const turnsAfterAll: number = 4;
/** So many newcomers of one address go before the others; those beyond them wait as everyone does. */
export const newcomersPerAddressMax: number = 4;
/** Less lets in one request, as 0 does. */
const leastMs = 0.05;
/** After so long without a request the process was idle, or has served others: a new turn. */
const gapMs = 2;

/** A place of one that waits. */
export interface Place {
  /** Undefined once it was forgotten. */
  go: (() => void) | undefined;
}

interface Newcomer extends Place {
  readonly address: string | undefined;
}

export class Turnstile {
  readonly #budgetMs: number;
  /** With the places that were forgotten: they cost no turn. */
  readonly #waiting: Place[] = [];
  readonly #newcomers: Newcomer[] = [];
  readonly #turnMsMax: number;
  /** The part of the budget that keeps turns within `#turnMsMax`. */
  #allowanceMs: number;
  /** The longest since it opened, with all that other sockets had in it. */
  #longestTurnMs = 0;
  /** Ends the budget of this turn. */
  #endMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #isInside = false;
  #isOpening = false;
  /** It opens in the next turn, or when the turns after the last opening are over. */
  #isPausing = false;
  /** The next entry is that of the one that was called in. */
  #isCalledIn = false;

  /**
   * @param budgetMs requests may be handled for so long in a turn; 0: one request
   * @param turnMsMax where a turn took longer, less of the budget is used: what was begun causes work in this turn and in later ones
   */
  constructor(budgetMs: number, turnMsMax: number = Number.POSITIVE_INFINITY) {
    this.#budgetMs = budgetMs;
    this.#turnMsMax = turnMsMax;
    this.#allowanceMs = budgetMs;
  }

  /** False: the turn's time is over, or others wait; see {@link wait}. Else {@link leave} is to be called. */
  enter(): boolean {
    if (this.#waiting.length + this.#newcomers.length > 0 && !this.#isOpening) return false;
    const nowMs = performance.now();
    if (this.#isCalledIn) {
      this.#isCalledIn = false;
      this.#isInside = true;
      return true;
    }
    if (!this.#isInside && nowMs - this.#lastMs > gapMs) this.#endMs = nowMs + this.#allowanceMs;
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
  wait(go: () => void): Place {
    const place = { go };
    this.#waiting.push(place);
    if (!this.#isPausing) {
      this.#isPausing = true;
      setImmediate(this.#open);
    }
    return place;
  }

  /** Calls it no more: its connection has closed. */
  forget(place: Place): void {
    place.go = undefined;
  }

  /**
   * Calls `go` in the next turn, before those that wait already: for the first bytes of a connection. The event loop accepts one
   * connection a turn, so only connections that were silent until now make a crowd here, and no address has more than a few in it.
   */
  waitAsNewcomer(address: string | undefined, go: () => void): Place {
    const ofAddress = this.#newcomers.filter((each) => each.address === address);
    if (ofAddress.length >= newcomersPerAddressMax) return this.wait(go);
    const newcomer = { address, go };
    this.#newcomers.push(newcomer);
    if (this.#newcomers.length === 1) setImmediate(this.#openToNewcomers);
    return newcomer;
  }

  #openLater(turns: number, turnBeganMs: number): void {
    setImmediate(() => {
      const nowMs = performance.now();
      this.#longestTurnMs = Math.max(this.#longestTurnMs, nowMs - turnBeganMs);
      if (turns > 0) this.#openLater(turns - 1, nowMs);
      else if (this.#waiting.length > 0) this.#open();
      else this.#isPausing = false;
    });
  }

  readonly #open = (): void => {
    this.#adjust();
    const nowMs = performance.now();
    try {
      this.#callIn(this.#waiting);
    } finally {
      // Also where none is left: those that were let in come again, and the turns tell how much work they made.
      this.#openLater(this.#waiting.length > 0 ? turnsBetween : turnsAfterAll, nowMs);
    }
  };

  /** By halves and doubles: it finds its part within a few openings, and all of it again. */
  #adjust(): void {
    const isLate = this.#longestTurnMs > this.#turnMsMax;
    this.#longestTurnMs = 0;
    if (isLate) this.#allowanceMs /= 2;
    else this.#allowanceMs = Math.min(this.#budgetMs, 2 * Math.max(this.#allowanceMs, leastMs));
  }

  readonly #openToNewcomers = (): void => {
    try {
      this.#callIn(this.#newcomers);
    } finally {
      if (this.#newcomers.length > 0) setImmediate(this.#openToNewcomers);
    }
  };

  /** Calls in those that wait now, as far as the budget goes; one at least. */
  #callIn(places: Place[]): void {
    this.#isOpening = true;
    this.#endMs = performance.now() + this.#allowanceMs;
    this.#lastMs = this.#endMs;
    let left = places.length;
    try {
      do {
        const go = places.shift()?.go;
        left -= 1;
        if (go === undefined) continue;
        this.#isCalledIn = true;
        go();
        if (performance.now() >= this.#endMs) break;
      } while (left > 0);
    } finally {
      this.#isOpening = false;
      this.#isCalledIn = false;
    }
  }
}

/** Undefined: of a unix socket. */
export interface NewcomerAt {
  readonly address: string | undefined;
}

/** The place of a connection at a turnstile: it waits there once, whatever comes meanwhile. */
export class Turn {
  readonly #turnstile: Turnstile;
  readonly #goOn: () => void;
  #place: Place | undefined;
  /** Had no entry yet, and nothing of it waits. */
  #newcomer: NewcomerAt | undefined;

  /**
   * @param goOn is called in a later turn, where {@link enter} answered false
   * @param newcomer its first entry goes before those of others
   */
  constructor(turnstile: Turnstile, goOn: () => void, newcomer?: NewcomerAt) {
    this.#turnstile = turnstile;
    this.#goOn = goOn;
    this.#newcomer = newcomer;
  }

  get isWaiting(): boolean {
    return this.#place !== undefined;
  }

  enter(): boolean {
    const newcomer = this.#newcomer;
    this.#newcomer = undefined;
    if (this.#turnstile.enter()) return true;
    this.#place =
      newcomer === undefined
        ? this.#turnstile.wait(this.#isCalled)
        : this.#turnstile.waitAsNewcomer(newcomer.address, this.#isCalled);
    return false;
  }

  leave(): void {
    this.#turnstile.leave();
  }

  /** The connection has closed: it waits no more. */
  end(): void {
    if (this.#place !== undefined) this.#turnstile.forget(this.#place);
    this.#place = undefined;
  }

  readonly #isCalled = (): void => {
    this.#place = undefined;
    this.#goOn();
  };
}
