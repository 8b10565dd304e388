/**
 * What the cache knows of one volume of one target. The one invariant (DESIGN section 4): every live needle of the volume
 * is what the volume held at `(epoch, position)`, or at a later position. Whatever breaks it drops the needle first.
 */
import type { ValidateVerdict, VolumeChange } from '../../rdma/needle-fetcher.ts';
import type { NeedleFlight } from './needle-flight.ts';

/** Per collection: how a cached needle is known to be fresh. */
export interface CachePolicy {
  readonly consistency: 'strict' | 'lease' | 'immutable';
  /** With `lease`: how long one lasts. */
  readonly leaseMs: number;
}

/** Drops cached needles; the volume says which. */
export interface NeedleDropper {
  dropChanged(volume: CachedVolume, needleIds: readonly bigint[]): void;
  /** They are dead already: gives their memory back. */
  sweep(volume: CachedVolume, reason: 'changed' | 'gone'): void;
}

const needleIdBits = 64n;

export class CachedVolume {
  readonly volumeId: number;
  readonly collection: string;
  readonly policy: CachePolicy;
  /** READs under way whose bytes may be cached, by key; the newest of each needle. */
  readonly flights: Map<bigint, NeedleFlight> = new Map();
  /** Needles in the store. */
  count = 0;
  /** Counts droppings of all its needles: one of an earlier generation is dead. */
  generation = 0;
  readonly #keyBase: bigint;
  readonly #dropper: NeedleDropper;
  #isKnown = false;
  #epoch = 0n;
  #position = 0n;
  #leasedUntilMs = 0;

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

  keyOf(needleId: bigint): bigint {
    return this.#keyBase | needleId;
  }

  /** Its needles are served without asking: how many ms longer; Infinity for `immutable`. */
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
    if (flight.isOverwritten) return false;
    if (this.policy.consistency === 'immutable') return true;
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
        // Asked about a generation that is not this one any more: nobody knows which of the two is the younger.
        if (askedEpoch !== this.#epoch || verdict.epoch !== this.#epoch) {
          this.forget('changed');
          return;
        }
        this.#advance(verdict.position, verdict.changedIds);
    }
    if (verdict.leased) this.#leasedUntilMs = postedAtMs + this.policy.leaseMs;
  }

  /** What the target pushed to the holder of a lease. */
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
      for (const flight of this.flights.values()) flight.isOverwritten = true;
    }
    this.#dropAll(reason);
  }

  /** A write or delete of this needle went through here. */
  overwritten(needleId: bigint): void {
    const flight = this.flights.get(this.keyOf(needleId));
    if (flight !== undefined) flight.isOverwritten = true;
  }

  #begin(epoch: bigint, position: bigint, reader: NeedleFlight | undefined): void {
    this.#dropAll('changed');
    // Read at positions that nobody compared with this one.
    this.#outdateFlights(reader);
    this.endLease();
    this.#isKnown = true;
    this.#epoch = epoch;
    this.#position = position;
  }

  #dropAll(reason: 'changed' | 'gone'): void {
    if (this.count === 0) return;
    this.generation += 1;
    this.#dropper.sweep(this, reason);
  }

  #advance(position: bigint, changedIds: readonly bigint[]): void {
    this.#drop(changedIds);
    if (position > this.#position) this.#position = position;
  }

  #drop(changedIds: readonly bigint[]): void {
    if (changedIds.length === 0) return;
    for (const needleId of changedIds) {
      const flight = this.flights.get(this.keyOf(needleId));
      if (flight !== undefined) flight.isOutdated = true;
    }
    this.#dropper.dropChanged(this, changedIds);
  }

  #outdateFlights(except: NeedleFlight | undefined): void {
    for (const flight of this.flights.values()) {
      if (flight !== except) flight.isOutdated = true;
    }
  }
}
