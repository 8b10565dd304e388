/**
 * Keeps requests away from a target that answers too late or not at all. Closed: everything goes. Open: nothing goes
 * until the pause is over. Half open: one request probes; its success closes the breaker, its failure doubles the pause.
 * Each pause is drawn from its upper half, so that the probes of many proxies do not come in step.
 *
 * A request that ran into its deadline says little: the first one makes the breaker ask the target for a sign of life.
 * Nothing goes meanwhile, and no client waits for a target that gives none: it is asked again by pings alone.
 */
import type { StatusName } from '../../rdma/status.ts';
import type { BreakerState } from './fleet-status.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  readonly pauseMs: number;
  /** Reads go to a target that answers again within 5 s: this pause and a sign of life. */
  readonly pauseMsMax: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The target has this long for a sign of life after a deadline, and after a read that is late. */
  readonly signOfLifeMs: number;
  readonly doubtMs: number;
  /** Asks the target for a sign of life within this time; never rejects. Absent: it is never asked. */
  readonly isAlive?: (timeoutMs: number) => Promise<boolean>;
}

export const breakerDefaults: BreakerOptions = {
  failuresMax: 5,
  pauseMs: 500,
  pauseMsMax: 4_000,
  random: Math.random,
  signOfLifeMs: 250,
  doubtMs: 100,
  now: () => performance.now(),
};

export interface BreakerChange {
  readonly state: BreakerState;
  /** In a row, since something succeeded last. */
  readonly failures: number;
  /** How the last one failed; late: it is under way, and the target gave no sign of life. */
  readonly reason: string;
}

export class Breaker {
  readonly #options: BreakerOptions;
  readonly #listeners: ((change: BreakerChange) => void)[] = [];
  #failures = 0;
  #reason = '';
  #pauseMs: number;
  #openUntil = 0;
  #state: BreakerState = 'closed';
  #probeSentAt = 0;
  #opens = 0;
  /** The target is being asked for a sign of life. */
  #isAsking = false;
  /** Nothing goes until it has answered. */
  #isHeld = false;
  /** True if it gave none when it was asked last. */
  #isSilent = false;
  /** Round trips that succeeded. */
  #successes = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

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

  /** Called once for each change of state. */
  onChange(listener: (change: BreakerChange) => void): void {
    this.#listeners.push(listener);
  }

  /** True when this request may go; in half open that makes it the probe. */
  admit(): boolean {
    if (this.#isHeld || this.#isSilent) return false;
    if (this.#state === 'closed') return true;
    const now = this.#options.now();
    if (this.#state === 'open') {
      if (now < this.#openUntil) return false;
      this.#probeSentAt = now;
      this.#change('half-open');
      return true;
    }
    // A probe that was never reported back must not keep the breaker half open for ever.
    if (now - this.#probeSentAt < this.#options.pauseMsMax) return false;
    this.#probeSentAt = now;
    return true;
  }

  /** A round trip to the target ended: called once for each, however many requests waited for it. */
  ended(status: StatusName): void {
    if (isTrouble[status]) this.failed(status);
    else this.succeeded();
  }

  /** The target did what it was asked for, or has a new session. */
  succeeded(): void {
    const failures = this.#failures;
    this.#failures = 0;
    this.#successes += 1;
    if (this.#state === 'closed') return;
    clearTimeout(this.#timer);
    this.#isSilent = false;
    this.#pauseMs = this.#options.pauseMs;
    this.#change('closed', failures);
  }

  /** `reason`: the status that a round trip ended with. */
  failed(reason: string): void {
    this.#failures += 1;
    this.#reason = reason;
    if (this.#state === 'half-open') this.#openAgain();
    else if (this.#state === 'closed' && this.#failures >= this.#options.failuresMax) this.#open();
    if (reason !== 'deadline' || this.#isSilent) return;
    this.#isHeld = this.#options.isAlive !== undefined;
    void this.#ask(this.#options.signOfLifeMs);
  }

  /**
   * A request has waited for longer than others did: the target is asked for a sign of life. Requests go on meanwhile, and
   * one that succeeds is such a sign.
   */
  doubt(): void {
    if (this.#state === 'closed') void this.#ask(this.#options.doubtMs, this.#successes);
  }

  /** Asks nothing any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#isClosed = true;
  }

  /** @param successes of requests, where a further one counts as well */
  async #ask(timeoutMs: number, successes?: number): Promise<void> {
    const { isAlive } = this.#options;
    if (isAlive === undefined || this.#isAsking) return;
    this.#isAsking = true;
    const isThere = await isAlive(timeoutMs);
    this.#isAsking = false;
    this.#isHeld = false;
    if (this.#isClosed) return;
    const hasServed = successes !== undefined && successes !== this.#successes;
    if (isThere || hasServed) {
      this.#answered();
      return;
    }
    if (successes !== undefined) this.#reason = 'late';
    this.#unanswered();
  }

  /** A target that is there and fails all the same stays behind an open breaker. */
  #answered(): void {
    if (this.#isSilent) this.succeeded();
  }

  #unanswered(): void {
    if (this.#state === 'closed') this.#open();
    else if (this.#isSilent) this.#openAgain();
    this.#isSilent = true;
    this.#timer = setTimeout(() => {
      this.#change('half-open');
      void this.#ask(this.#options.signOfLifeMs);
    }, this.#drawnPauseMs()).unref();
  }

  #openAgain(): void {
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#options.pauseMsMax);
    this.#open();
  }

  #open(): void {
    this.#opens += 1;
    this.#openUntil = this.#options.now() + this.#drawnPauseMs();
    this.#change('open');
  }

  #drawnPauseMs(): number {
    return this.#pauseMs * (0.5 + this.#options.random() / 2);
  }

  #change(state: BreakerState, failures: number = this.#failures): void {
    if (this.#state === state) return;
    this.#state = state;
    const change = { state, failures, reason: this.#reason };
    for (const listener of this.#listeners) listener(change);
  }
}

/** The fabric's or the target's fault; the rest are answers. */
const isTrouble: Readonly<Record<StatusName, boolean>> = {
  ok: false,
  not_found: false,
  deleted: false,
  cookie_mismatch: false,
  expired: false,
  empty: false,
  corrupt: false,
  too_large: false,
  unsupported_volume: false,
  unknown_volume: false,
  volume_unconfirmed: false,
  no_slab: false,
  deadline: true,
  overload: false,
  io_error: true,
  bad_request: true,
  unsupported_version: true,
  unauthorized: true,
  not_connected: true,
  peer_lost: true,
  closed: false,
  protocol_error: true,
};
