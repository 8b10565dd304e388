/**
 * The cache's record of one volume of one target. The one invariant (docs/architecture.md, "The cache"), except with
 * `immutable`, which looks at no state: every live needle of the volume is what the volume held at `(epoch, position)`,
 * or at a later position. A change that would break it drops the needle first.
 */
import type { ValidateVerdict, VolumeChange } from '../../rdma/needle-fetcher.ts';
import type { CachedNeedle } from './cached-needle.ts';
import type { NeedleFlight } from './needle-flight.ts';
import { UnsettledWrites } from './unsettled-writes.ts';

/** Per collection: how a cached needle is known to be fresh. */
export interface CachePolicy {
  readonly consistency: 'strict' | 'lease' | 'immutable';
  /** With `lease`: how long one lasts. */
  readonly leaseMs: number;
}

/** Drops cached needles; the volume says which. */
export interface NeedleDropper {
  dropChanged(volume: CachedVolume, needleIds: readonly bigint[]): void;
  /** All of a volume, from the first on; they are dead already: gives their memory back. */
  sweep(first: CachedNeedle, reason: 'changed' | 'gone' | 'operator'): void;
}

const noFlights: readonly NeedleFlight[] = [];
const needleIdBits = 64n;
/** The most generations that fit beside a needle's flags in a small integer. */
const generationsMax = 1 << 22;

export class CachedVolume {
  readonly volumeId: number;
  readonly collection: string;
  readonly policy: CachePolicy;
  readonly #keyBase: bigint;
  readonly #dropper: NeedleDropper;
  #isKnown = false;
  #epoch = 0n;
  #position = 0n;
  #leasedUntilMs = 0;
  #generation = 0;
  #first: CachedNeedle | undefined;
  /** READs under way whose bytes may be cached, by key. */
  readonly #flights = new Map<bigint, NeedleFlight[]>();
  #isRetired = false;
  readonly #unsettled = new UnsettledWrites();

  /** `ordinal`: unique among the volumes of all targets. */
  constructor(
    ordinal: number,
    volumeId: number,
    collection: string,
    policy: CachePolicy,
    dropper: NeedleDropper,
  ) {
    this.#keyBase = BigInt(ordinal) << needleIdBits;
    this.volumeId = volumeId;
    this.collection = collection;
    this.policy = policy;
    this.#dropper = dropper;
  }

  get epoch(): bigint {
    return this.#epoch;
  }

  get position(): bigint {
    return this.#position;
  }

  /** Counts droppings of all its needles: one of another generation is dead. */
  get generation(): number {
    return this.#generation;
  }

  flightsOf(key: bigint): readonly NeedleFlight[] {
    return this.#flights.get(key) ?? noFlights;
  }

  takeOff(flight: NeedleFlight): void {
    const others = this.#flights.get(flight.key);
    if (others === undefined) this.#flights.set(flight.key, [flight]);
    else others.push(flight);
  }

  /** Idempotent. */
  touchDown(flight: NeedleFlight): void {
    const others = this.#flights.get(flight.key);
    const at = others?.indexOf(flight) ?? -1;
    if (others === undefined || at < 0) return;
    others.splice(at, 1);
    if (others.length === 0) this.#flights.delete(flight.key);
  }

  /** Called when it is in the store. */
  link(needle: CachedNeedle): void {
    needle.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = needle;
    this.#first = needle;
  }

  /** A live needle leaves the store. */
  unlink({ previous, next }: CachedNeedle): void {
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
  }

  keyOf(needleId: bigint): bigint {
    return this.#keyBase | needleId;
  }

  /** How many ms longer the volume's needles are served without asking; Infinity for `immutable`. */
  servedWithoutAskingMs(nowMs: number): number {
    switch (this.policy.consistency) {
      case 'strict':
        return 0;
      case 'lease':
        return this.#leasedUntilMs - nowMs;
      case 'immutable':
        return Number.POSITIVE_INFINITY;
    }
  }

  endLease(): void {
    this.#leasedUntilMs = 0;
  }

  /** A READ's answer was read at this state. False: it must not be cached. */
  admit(flight: NeedleFlight, epoch: bigint, position: bigint): boolean {
    if (flight.isOverwritten || this.#isRetired) return false;
    if (this.policy.consistency === 'immutable') return !this.#unsettled.has(flight.key);
    if (flight.isOutdated) return false;
    if (!this.#isKnown || this.#epoch !== epoch) this.#begin(epoch, position, flight);
    return true;
  }

  /** A VALIDATE that asked from `askedEpoch`; `postedAtMs`: when it was posted. */
  applyVerdict(verdict: ValidateVerdict, askedEpoch: bigint, postedAtMs: number): void {
    switch (verdict.verdict) {
      case 'unconfirmed':
        this.endLease();
        return;
      case 'gone':
        this.forget('gone');
        return;
      case 'flush':
        this.#begin(verdict.epoch, verdict.position, undefined);
        break;
      case 'changed':
        // The question was about another generation than the present one: which of the two is younger is unknown.
        if (askedEpoch !== this.#epoch || verdict.epoch !== this.#epoch) {
          this.forget('changed');
          return;
        }
        this.#advance(verdict.position, verdict.changedIds);
    }
    if (verdict.leased) this.#leasedUntilMs = postedAtMs + this.policy.leaseMs;
  }

  /** Applies a change that the target pushed to the holder of a lease. */
  applyChange(change: VolumeChange): void {
    if (!this.#isKnown) return;
    if (change.changedIds === 'flush' || change.epoch !== this.#epoch) {
      this.forget('changed');
      return;
    }
    // Something before it is missing: what is pushed from here on says too little.
    if (change.from > this.#position) {
      this.endLease();
      this.#drop(change.changedIds);
    } else {
      this.#advance(change.to, change.changedIds);
    }
  }

  /** Nothing of it is known any more; READs under way are not cached. */
  forget(reason: 'changed' | 'gone'): void {
    this.#isKnown = false;
    this.endLease();
    this.#outdateFlights(undefined);
    if (reason === 'gone') {
      for (const flights of this.#flights.values()) {
        for (const flight of flights) flight.isOverwritten = true;
      }
    }
    this.#dropAll(reason);
  }

  /** Drops every needle, though nothing changed; returns how many. */
  evictAll(): number {
    let count = 0;
    for (let needle = this.#first; needle !== undefined; needle = needle.next) count += 1;
    this.#dropAll('operator');
    return count;
  }

  /** The target announces the volume no more: a holder of this record caches nothing. */
  retire(): void {
    this.#isRetired = true;
    this.forget('gone');
  }

  /** A write or delete of this needle went through here; `isLost`: without an answer, so that it may be done yet. */
  overwritten(needleId: bigint, isLost: boolean): void {
    const key = this.keyOf(needleId);
    for (const flight of this.flightsOf(key)) flight.isOverwritten = true;
    // The other modes notice when it is done.
    if (isLost && this.policy.consistency === 'immutable') this.#unsettled.add(key);
  }

  #begin(epoch: bigint, position: bigint, reader: NeedleFlight | undefined): void {
    this.#dropAll('changed');
    // These flights read at positions that were not compared with this one.
    this.#outdateFlights(reader);
    this.endLease();
    this.#isKnown = true;
    this.#epoch = epoch;
    this.#position = position;
  }

  #dropAll(reason: 'changed' | 'gone' | 'operator'): void {
    const first = this.#first;
    if (first === undefined) return;
    this.#first = undefined;
    this.#generation = (this.#generation + 1) % generationsMax;
    this.#dropper.sweep(first, reason);
  }

  #advance(position: bigint, changedIds: readonly bigint[]): void {
    this.#drop(changedIds);
    if (position > this.#position) this.#position = position;
  }

  #drop(changedIds: readonly bigint[]): void {
    if (changedIds.length === 0) return;
    for (const needleId of changedIds) {
      for (const flight of this.flightsOf(this.keyOf(needleId))) flight.isOutdated = true;
    }
    this.#dropper.dropChanged(this, changedIds);
  }

  #outdateFlights(except: NeedleFlight | undefined): void {
    for (const flights of this.#flights.values()) {
      for (const flight of flights) if (flight !== except) flight.isOutdated = true;
    }
  }
}
