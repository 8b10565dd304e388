/**
 * One way to a target: its session, the requests under way on it, and whether it may carry more. A rail that is silent
 * while a request waits is asked by PING; without an answer it is ejected, asked again after a growing pause, and
 * readmitted after answers in a row. A session that is lost ejects it at once. One that answers slowly has its old requests
 * doubled on another, and is ejected where that one brings an answer long before it. Knows nothing of the other rails.
 */
import type { NeedleFetcher, PingResult } from '../needle-fetcher.ts';
import { type RailState, type RailStatus, railConnecting } from './rail-status.ts';

export interface RailPlace {
  /** The device, as configured. */
  readonly name: string;
  readonly fetcher: NeedleFetcher;
  /** Carries traffic only while no other rail does. */
  readonly isFallback: boolean;
  readonly isNear: boolean;
}

export interface RailRules {
  /** A rail that gives no sign of life for so long, though a request waits, is left: half of it passes before it is asked. */
  readonly silenceMs: number;
  /** From an ejection to the first probe; doubled with each that follows soon, up to the second. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
  /** An ejection this long after the last one is the first again. */
  readonly calmMs: number;
  /** Answered in a row before it carries traffic again. */
  readonly probes: number;
}

export const railRules: RailRules = {
  silenceMs: 200,
  pauseMs: 500,
  pauseMsMax: 10_000,
  calmMs: 60_000,
  probes: 3,
};

/** A request on its way over a rail. */
export interface Passenger {
  /** Bytes of the answer, as far as can be said. */
  readonly expectedBytes: number;
  /** Called when its rail was ejected. True if it goes on by another. */
  leave(): boolean;
  /** Called when it has waited for long on a rail that answers others. True if it goes by another as well. */
  double(): boolean;
}

export type RailReason =
  | 'deadline'
  | 'slow'
  | 'peer_lost'
  | 'not_connected'
  | 'closed'
  | 'protocol_error';

export interface RailHost {
  /**
   * Asked before a silent rail is ejected: not without another that has brought needles since it was readmitted. The
   * silence of the last one is the target's, or this machine's, as likely.
   */
  mayEject(rail: Rail): boolean;
  /** Has the rails on trial asked as well: whether they answer says more of this one's silence. */
  askTrials(rail: Rail, timeoutMs: number): void;
  /** Asked for each request that is to be doubled: they are few, since they are twice the work. */
  mayDouble(): boolean;
  /** One was. */
  doubled(): void;
  /** The rail's state changed, or what its session announces. */
  changed(rail: Rail): void;
}

export class Rail {
  readonly place: RailPlace;
  readonly #rules: RailRules;
  readonly #host: RailHost;
  readonly #postedAtMs = new Map<Passenger, number>();
  /** Requests that are under way on another rail as well. */
  readonly #doubled = new Set<Passenger>();
  #state: RailState = 'down';
  #reason: string = railConnecting;
  #outstandingBytes = 0;
  #bytesFetched = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isAsked = false;
  #watch: NodeJS.Timeout | undefined;
  #probeTimer: NodeJS.Timeout | undefined;
  #isProbing = false;
  #pauseMs = 0;
  #ejectedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  readonly #counts = { reads: 0, sentAgain: 0, doubled: 0, ejections: 0, readmissions: 0 };

  constructor(place: RailPlace, rules: RailRules, host: RailHost) {
    this.place = place;
    this.#rules = rules;
    this.#host = host;
    place.fetcher.onChange(() => this.#follow());
    if (place.fetcher.state.kind === 'up') this.#state = 'admitted';
  }

  get state(): RailState {
    return this.#state;
  }

  get isAdmitted(): boolean {
    return this.#state === 'admitted' || this.#state === 'trial';
  }

  /** One request at a time, until one has brought a needle. */
  get isBusy(): boolean {
    return this.#state === 'trial' && this.#postedAtMs.size > 0;
  }

  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  /** Bytes of needles that came by it. */
  get bytesFetched(): number {
    return this.#bytesFetched;
  }

  carries(passenger: Passenger): boolean {
    return this.#postedAtMs.has(passenger);
  }

  board(passenger: Passenger, isRead: boolean): void {
    if (isRead) this.#counts.reads += 1;
    this.#outstandingBytes += passenger.expectedBytes;
    this.#postedAtMs.set(passenger, performance.now());
    this.#watch ??= setInterval(() => this.#look(), this.#rules.silenceMs / 8).unref();
  }

  /** The request has ended here: `isHeard` if the target answered. */
  alight(passenger: Passenger, isHeard: boolean): void {
    if (this.#postedAtMs.delete(passenger)) this.#outstandingBytes -= passenger.expectedBytes;
    this.#doubled.delete(passenger);
    if (isHeard) this.#heardAtMs = performance.now();
  }

  /** A read brought a needle, and so many bytes of its data. */
  succeeded(bytes: number): void {
    this.#bytesFetched += bytes;
    if (this.#state === 'trial') this.#become('admitted', '');
  }

  /** Takes the rail out and sends its requests elsewhere. Idempotent. */
  eject(reason: RailReason): void {
    if (!this.isAdmitted) return;
    this.#counts.ejections += 1;
    this.#lengthenPause();
    const isUp = this.place.fetcher.state.kind === 'up';
    this.#become(isUp ? 'ejected' : 'down', reason);
    if (isUp) this.#probeAfter(this.#pauseMs);
    for (const passenger of [...this.#postedAtMs.keys()]) {
      if (passenger.leave()) this.#counts.sentAgain += 1;
    }
  }

  /** Another rail brought the answer: the target has it, so that this rail has little time left to bring it as well. */
  overtaken(passenger: Passenger): void {
    if (!this.#doubled.has(passenger) || !this.isAdmitted) return;
    setTimeout(() => {
      if (this.#doubled.has(passenger) && this.#host.mayEject(this)) this.eject('slow');
    }, this.#rules.silenceMs / 2).unref();
  }

  /** A request that failed on this rail went on by another. */
  sentAgain(): void {
    this.#counts.sentAgain += 1;
  }

  /** Asks an ejected rail now: there is no other one left. */
  probeNow(): void {
    if (this.#state === 'ejected') this.#probeAfter(0);
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** True if anything was heard since `ping` was called last. */
  get wasHeard(): boolean {
    return this.#heardAtMs >= this.#askedAtMs;
  }

  async ping(timeoutMs: number): Promise<PingResult> {
    this.#askedAtMs = performance.now();
    const result = await this.place.fetcher.ping(timeoutMs);
    if (result.kind === 'pong') this.#heardAtMs = performance.now();
    return result;
  }

  status(isLead: boolean): RailStatus {
    const { name, fetcher, isFallback, isNear } = this.place;
    const { state, counts } = fetcher;
    const { established, lost } = counts;
    return {
      name,
      state: this.#state,
      isFallback,
      isNear,
      isLead,
      transport: state.kind === 'up' ? state.transport : undefined,
      outstandingBytes: this.#outstandingBytes,
      bytesFetched: this.#bytesFetched,
      ...this.#counts,
      established,
      lost,
      reason: this.#reason,
    };
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#probeTimer);
  }

  #follow(): void {
    const { state } = this.place.fetcher;
    if (state.kind === 'down') {
      if (this.isAdmitted) this.eject('peer_lost');
      clearTimeout(this.#probeTimer);
      this.#become('down', `${state.status}, ${state.detail}`);
    } else if (state.kind === 'up' && this.#state === 'down') {
      // A handshake has just been answered.
      if (this.#counts.ejections === 0) this.#become('admitted', '');
      else {
        this.#become('ejected', 'probing');
        this.#probeAfter(0);
      }
    } else {
      this.#host.changed(this);
    }
  }

  #become(state: RailState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#host.changed(this);
  }

  #lengthenPause(): void {
    const nowMs = performance.now();
    const { pauseMs, pauseMsMax, calmMs } = this.#rules;
    const isCalm = nowMs - this.#ejectedAtMs > calmMs;
    this.#pauseMs = isCalm ? pauseMs : Math.min(this.#pauseMs * 2, pauseMsMax);
    this.#ejectedAtMs = nowMs;
  }

  #look(): void {
    const [oldestAtMs] = this.#postedAtMs.values();
    if (oldestAtMs === undefined) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    if (!this.isAdmitted) return;
    const nowMs = performance.now();
    if (nowMs - oldestAtMs >= this.#rules.silenceMs) this.#doubleOld(nowMs);
    if (this.#isAsked) return;
    const quietMs = nowMs - Math.max(oldestAtMs, this.#heardAtMs);
    if (quietMs >= this.#rules.silenceMs / 2) void this.#ask();
  }

  #doubleOld(nowMs: number): void {
    for (const [passenger, postedAtMs] of this.#postedAtMs) {
      if (nowMs - postedAtMs < this.#rules.silenceMs) return;
      if (this.#doubled.has(passenger)) continue;
      if (!this.#host.mayDouble()) return;
      if (!passenger.double()) continue;
      this.#host.doubled();
      this.#doubled.add(passenger);
      this.#counts.doubled += 1;
    }
  }

  async #ask(): Promise<void> {
    this.#isAsked = true;
    const timeoutMs = this.#rules.silenceMs / 2;
    this.#host.askTrials(this, timeoutMs);
    await this.ping(timeoutMs);
    this.#isAsked = false;
    if (this.wasHeard || this.#isClosed || !this.isAdmitted) return;
    if (this.#host.mayEject(this)) this.eject('deadline');
  }

  #probeAfter(pauseMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = setTimeout(() => void this.#probe(), pauseMs).unref();
  }

  async #probe(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    let answered = 0;
    while (answered < this.#rules.probes && this.#state === 'ejected') {
      if (!(await this.#isProbeAnswered())) break;
      answered += 1;
    }
    this.#isProbing = false;
    if (this.#isClosed || this.#state !== 'ejected') return;
    if (answered === this.#rules.probes) {
      this.#counts.readmissions += 1;
      this.#become('trial', '');
      return;
    }
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#rules.pauseMsMax);
    this.#probeAfter(this.#pauseMs);
  }

  /** A late answer to an older request says nothing of this one. */
  async #isProbeAnswered(): Promise<boolean> {
    const { kind } = await this.place.fetcher.ping(this.#rules.silenceMs / 2);
    return kind === 'pong';
  }
}
