/** One request on its way over the rails: sent on one, sent again on another where that is ejected, settled once. */
import type { FetchResult, ValidateResult } from '../needle-fetcher.ts';
import type { Failure, StatusName } from '../status.ts';
import type { Passenger, Rail, RailReason } from './rail.ts';

type Answer = FetchResult | ValidateResult;

export interface Trip<R extends Answer> {
  readonly expectedBytes: number;
  /** The rail to take; undefined: there is none. `without`: those that it must not be. */
  readonly choose: (without: (rail: Rail) => boolean) => Rail | undefined;
  readonly post: (rail: Rail, timeoutMs: number) => Promise<R>;
  /** Lets go of an answer that came after another one. */
  readonly waste?: (result: R) => void;
  readonly isRead?: boolean;
}

/** The rail failed, not the target: the same request may succeed on another. */
const isOfRail: Partial<Record<StatusName, RailReason>> = {
  peer_lost: 'peer_lost',
  not_connected: 'not_connected',
  closed: 'closed',
  protocol_error: 'protocol_error',
};

export class RailRequest<R extends Answer> implements Passenger {
  readonly expectedBytes: number;
  readonly #trip: Trip<R>;
  readonly #promise: PromiseWithResolvers<R> = Promise.withResolvers<R>();
  readonly #deadlineAtMs: number;
  #isSettled = false;
  readonly #pending: Rail[] = [];

  constructor(timeoutMs: number, trip: Trip<R>) {
    this.expectedBytes = trip.expectedBytes;
    this.#trip = trip;
    this.#deadlineAtMs = performance.now() + timeoutMs;
  }

  get result(): Promise<R> {
    return this.#promise.promise;
  }

  /** False if there is no rail for it, or no time left. */
  go(): boolean {
    return this.#goWithout((rail) => rail.carries(this));
  }

  #goWithout(without: (rail: Rail) => boolean): boolean {
    const leftMs = this.#deadlineAtMs - performance.now();
    const rail = leftMs > 0 ? this.#trip.choose(without) : undefined;
    if (rail === undefined) return false;
    this.#pending.push(rail);
    rail.board(this, this.#trip.isRead === true);
    this.#trip.post(rail, leftMs).then(
      (result) => this.#answered(rail, result),
      (error: unknown) => {
        rail.alight(this, false);
        this.#promise.reject(error);
      },
    );
    return true;
  }

  leave(): boolean {
    return !this.#isSettled && this.go();
  }

  /** Once: it goes by two rails at most, unless one of them fails. A fallback is no measure of the others. */
  double(): boolean {
    if (this.#isSettled || this.#pending.length !== 1) return false;
    return this.#goWithout((rail) => rail.place.isFallback || rail.carries(this));
  }

  /** `failure` is of each kind of request. */
  settleAs(failure: Failure): void {
    this.#end(failure as R);
  }

  #answered(rail: Rail, result: R): void {
    this.#pending.splice(this.#pending.indexOf(rail), 1);
    const fault = result.kind === 'failed' ? isOfRail[result.status] : undefined;
    const isHeard = fault === undefined && !isSilence(result);
    rail.alight(this, isHeard);
    if (result.kind === 'needle') rail.succeeded(result.data?.view.length ?? 0);
    if (fault !== undefined) rail.eject(fault);
    if (this.#isSettled) {
      this.#trip.waste?.(result);
    } else if (fault !== undefined && this.#pending.length === 0 && this.go()) {
      rail.sentAgain();
    } else if (isHeard || this.#pending.length === 0) {
      this.#end(result);
    }
  }

  #end(result: R): void {
    this.#isSettled = true;
    this.#promise.resolve(result);
    for (const rail of this.#pending) rail.overtaken(this);
  }
}

/** The client's own deadline, or the target's word that it had no time: which of them is not said. */
function isSilence(result: Answer): boolean {
  return result.kind === 'failed' && result.status === 'deadline';
}

export function releaseData(result: FetchResult): void {
  if (result.kind === 'needle') result.data?.lease.release();
}
