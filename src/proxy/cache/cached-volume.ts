/**
 * The cache's record of one volume of one target. The one invariant (docs/architecture.md, "The cache"), except with `immutable`,
 * which looks at no state: every live needle of the volume is what the volume held at `(epoch, position)`, or at a later position. A
 * change that would break it drops the needle first. Its needles stand beside it: what tells a live one from a dead one is in both.
 */
import type { PreparedAnswer } from '../../needle/answer/prepared-answer.ts';
import type { KeptBytes } from '../../rdma/lease.ts';
import type {
  Needle,
  NeedleFacts,
  ValidateVerdict,
  VolumeChange,
} from '../../rdma/needle-fetcher.ts';
import type { LaneVolume } from '../lanes/lane-volume.ts';
import type { CachePolicy } from './cache-policy.ts';
import type { NeedleFlight } from './needle-flight.ts';
import type { PublishedAnswers } from './published-answers.ts';
import { UnsettledWrites } from './unsettled-writes.ts';

/** Drops cached needles; the volume says which. */
export interface NeedleDropper {
  dropChanged(volume: CachedVolume, needleIds: readonly bigint[]): void;
  /** All of a volume, from the first on, dead already: gives their memory back. */
  sweep(first: CachedNeedle, reason: 'changed' | 'gone' | 'operator'): void;
}

const noFlights: readonly NeedleFlight[] = [];
/** So many fit beside a needle's flags in a small integer. */
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
  /** Once an answer of one of its needles was published. */
  published: LaneVolume | undefined;
  readonly #unsettled = new UnsettledWrites();

  /** `ordinal`: unique among the volumes of all targets. */
  constructor(
    ordinal: number,
    volumeId: number,
    collection: string,
    policy: CachePolicy,
    dropper: NeedleDropper,
  ) {
    this.#keyBase = BigInt(ordinal) << 64n;
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
    this.published?.endGrant();
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
    this.published?.forget();
    this.published = undefined;
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
    this.published?.drop();
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

const flagBits = 8;
/** Prepared answers of one needle beside its first; more variants than these are built anew each time. */
const otherVariantsMax = 7;

/**
 * A whole needle whose stored bytes lie in the arena. Held by the hundred thousand, so every field counts: 32-bit values
 * are kept signed (a small integer each), and what can be derived is.
 */
export class CachedNeedle implements NeedleFacts {
  readonly volume: CachedVolume;
  /** Volume and needle id in one: what the store knows it by. */
  readonly key: bigint;
  readonly name: string;
  readonly mime: string;
  readonly pairs: string;
  readonly lastModifiedSeconds: number;
  /** Monotonic ms at which its ttl ends; undefined: never. */
  readonly expiresAtMs: number | undefined;
  readonly #data: KeptBytes;
  readonly #cookie: number;
  readonly #checksum: number;
  /** Neighbours among the live needles of the volume; the volume keeps them. */
  next: CachedNeedle | undefined = undefined;
  previous: CachedNeedle | undefined = undefined;
  /** The flags in the lowest byte; above it the volume's generation when it came, or -1: it left. */
  #packed: number;
  /** Most needles are asked for in one way only: its answer needs no map. */
  #variant = '';
  #prepared: PreparedAnswer | undefined;
  #others: Map<string, PreparedAnswer> | undefined;
  /** Those that lanes give. */
  published: PublishedAnswers | undefined = undefined;

  constructor(
    volume: CachedVolume,
    key: bigint,
    needle: Needle,
    mime: string,
    data: KeptBytes,
    expiresAtMs: number | undefined,
  ) {
    this.volume = volume;
    this.key = key;
    this.name = needle.name;
    this.mime = mime;
    this.pairs = needle.pairs;
    this.lastModifiedSeconds = needle.lastModifiedSeconds;
    this.expiresAtMs = expiresAtMs;
    this.#data = data;
    this.#cookie = needle.cookie | 0;
    this.#checksum = needle.checksum | 0;
    this.#packed = needle.flags | (volume.generation << flagBits);
  }

  get volumeId(): number {
    return this.volume.volumeId;
  }

  get needleId(): bigint {
    return BigInt.asUintN(64, this.key);
  }

  get cookie(): number {
    return this.#cookie >>> 0;
  }

  get epoch(): bigint {
    return this.volume.epoch;
  }

  get position(): bigint {
    return this.volume.position;
  }

  get flags(): number {
    return this.#packed & 0xff;
  }

  get dataBytes(): number {
    return this.#data.bytes;
  }

  get checksum(): number {
    return this.#checksum >>> 0;
  }

  /** False once it left the cache, or all of its volume was dropped: its bytes may still be on their way to clients. */
  get isLive(): boolean {
    return this.#packed >> flagBits === this.volume.generation;
  }

  /** The stored bytes, with a lease of their own. Only while it is live. */
  lend(): ReturnType<KeptBytes['lend']> {
    return this.#data.lend();
  }

  /** Holds the bytes as `KeptBytes` does. Only while the needle is live. */
  hold(): void {
    this.#data.hold();
  }

  endHold(): void {
    this.#data.endHold();
  }

  /** Only while it is live or held. */
  copyTo(target: Buffer, at: number): void {
    this.#data.copyTo(target, at);
  }

  /** Called when it leaves the cache. */
  leave(): void {
    this.#packed |= -1 << flagBits;
    this.#prepared = undefined;
    this.#others = undefined;
    this.published?.withdraw();
    this.published = undefined;
    this.#data.release();
  }

  preparedFor(variant: string): PreparedAnswer | undefined {
    return variant === this.#variant ? this.#prepared : this.#others?.get(variant);
  }

  /** Returns how many bytes more it holds by that; 0 where it has as many answers as it may have. */
  prepare(variant: string, answer: PreparedAnswer): number {
    const before = this.preparedFor(variant)?.bytes;
    // A copy: what is cut out of a request's head would keep all of that head.
    const own = before === undefined ? Buffer.from(variant, 'latin1').toString('latin1') : variant;
    if (!this.#put(own, answer)) return 0;
    return before === undefined ? answer.bytes + own.length : answer.bytes - before;
  }

  #put(variant: string, answer: PreparedAnswer): boolean {
    if (this.#prepared === undefined || variant === this.#variant) {
      this.#variant = variant;
      this.#prepared = answer;
      return true;
    }
    this.#others ??= new Map();
    if (this.#others.size >= otherVariantsMax && !this.#others.has(variant)) return false;
    this.#others.set(variant, answer);
    return true;
  }
}
