/**
 * The hot-needle cache: copies of whole needles, single flight, and what makes a hit fresh
 * (docs/architecture.md, "The cache"). Knows no HTTP; the corridor asks `find`, then `fetch`, and tells it of every
 * write that passes through.
 */

import type { PreparedAnswer } from '../../needle/answer/prepared-answer.ts';
import type { Published, RecallableHead } from '../../needle/needle-outcome.ts';
import type { CacheMemory } from '../../rdma/cache-memory.ts';
import type { KeptBytes } from '../../rdma/lease.ts';
import { slabBytes } from '../../rdma/lease.ts';
import type { Needle, NeedleFetcher, ReadCommand } from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { Lanes } from '../lanes/lanes.ts';
import { type EvictionChoice, type ListedNeedle, listed } from './cache-listing.ts';
import type { CachePolicy } from './cache-policy.ts';
import { type CacheStats, newCacheCounters } from './cache-status.ts';
import { CachedNeedle, CachedVolume } from './cached-volume.ts';
import { DeadSweep } from './dead-sweep.ts';
import type { DecodedForm } from './decoded-form.ts';
import { DecodedForms, type Decoding, type Made } from './decoded-forms.ts';
import { DecodingRoom } from './decoding-room.ts';
import type { Found, Seeker } from './found.ts';
import { CachedTarget, type Validation, type Waiter } from './group-validation.ts';
import type { Fetched, NeedleFlight } from './needle-flight.ts';
import { NeedleReads } from './needle-reads.ts';
import { type EvictionReason, NeedleStore } from './needle-store.ts';
import { PublishedAnswers } from './published-answers.ts';
import { RangePatterns } from './range-patterns.ts';
import { type OnValidated, WaitingHit } from './waiting-hit.ts';

export interface NeedleCacheOptions {
  /** Bytes of slabs and prepared heads; 0: no cache. */
  readonly bytesMax: number;
  /** Bytes of decoded forms, on the heap. */
  readonly decodedBytesMax: number;
  /** Bytes of decoded forms that are being made or sent, on the heap. Default: no bound. */
  readonly decodingBytesMax?: number;
  readonly policyOf: (collection: string) => CachePolicy;
  readonly timeoutMs: number;
  /** VALIDATEs under way per target. */
  readonly validationsMax: number;
  /** A needle this close to the end of its ttl is not served from here. */
  readonly ttlMarginMs: number;
  /** Absent: nothing is kept. */
  readonly memory?: CacheMemory | undefined;
  /** Called for each hit that waited for a VALIDATE. */
  readonly onValidationWait?: (waitedMs: number, said: Validation['kind']) => void;
  /** Called once for each VALIDATE; `ok`: it was answered. */
  readonly onRoundTrip?: (fetcher: NeedleFetcher, status: StatusName) => void;
}

const miss: Found = { kind: 'miss', stale: false };
const stale: Found = { kind: 'miss', stale: true };
const gone: Found = { kind: 'barred', status: 'unknown_volume' };
const refused: Found = { kind: 'refused' };
const unconfirmed: Found = { kind: 'barred', status: 'volume_unconfirmed' };

/** Needles that are looked at for a list of those asked for most: some milliseconds, in which no request is answered. */
const listedFromMax = 2048;
/** Types whose text is shared among needles. */
const mimesMax = 1024;
/** A larger needle than this share of the cache is read range by range, whatever the pattern. */
const runShare = 0.125;
/** The longest lease that a target grants (docs/protocol.md). */
const leaseMsMax = 60_000;
/** A lease is renewed in passing when less than this share of it is left. */
const renewShare = 0.3;
/** More uses than these at once tell the sketch nothing new. */
const askedMax = 15;

export class NeedleCache {
  readonly #options: NeedleCacheOptions;
  readonly #counters = newCacheCounters();
  readonly #store: NeedleStore<CachedNeedle>;
  readonly #sweep: DeadSweep;
  readonly #reads: NeedleReads;
  /** Bytes of decoded forms that are being made or sent. */
  readonly decodingRoom: DecodingRoom;
  readonly #decoded: DecodedForms;
  readonly #patterns = new RangePatterns();
  readonly #targets = new Map<NeedleFetcher, CachedTarget>();
  readonly #mimes = new Map<string, string>();
  #volumeOrdinal = 0;
  #arrivals = 0;
  #isClosed = false;
  /** Where prepared answers are published; undefined: nowhere. */
  lanes: Lanes | undefined;

  constructor(options: NeedleCacheOptions) {
    this.#options = options;
    this.decodingRoom = new DecodingRoom(options.decodingBytesMax ?? Number.POSITIVE_INFINITY);
    const { bytesMax, decodedBytesMax } = options;
    this.#decoded = new DecodedForms(bytesMax === 0 ? 0 : decodedBytesMax, this.decodingRoom);
    this.#store = new NeedleStore({
      bytesMax: options.bytesMax,
      onLeave: (needle, _key, reason) => this.#left(needle, reason),
    });
    this.#sweep = new DeadSweep(this.#store);
    this.#reads = new NeedleReads({
      counters: this.#counters,
      patterns: this.#patterns,
      arrive: () => this.arrive(),
      offer: (volume, flight, needle, kept) => this.#offer(volume, flight, needle, kept),
      shed: (bytes) => this.#store.shed(bytes) > 0,
      keep: (view) => options.memory?.keep(view),
    });
  }

  /** Keeps nothing. */
  static off(): NeedleCache {
    return new NeedleCache({
      bytesMax: 0,
      decodedBytesMax: 0,
      policyOf: () => ({ consistency: 'strict', leaseMs: 0 }),
      timeoutMs: 0,
      validationsMax: 1,
      ttlMarginMs: 0,
    });
  }

  /** Counts a request in: what it may share depends on when it came. */
  arrive(): number {
    this.#arrivals += 1;
    return this.#arrivals;
  }

  /** undefined: nothing of this volume is cached. */
  volume(fetcher: NeedleFetcher, volumeId: number): CachedVolume | undefined {
    if (this.#options.bytesMax === 0) return undefined;
    let target = this.#targets.get(fetcher);
    if (target === undefined) {
      target = new CachedTarget(fetcher, {
        validation: {
          timeoutMs: this.#options.timeoutMs,
          inFlightMax: this.#options.validationsMax,
          onRoundTrip: (from, status) => this.#roundTrip(from, status),
        },
        newVolume: (id, collection) => this.#newVolume(id, collection),
      });
      this.#targets.set(fetcher, target);
    }
    return target.volume(volumeId);
  }

  /** Is all of a large needle to be read, though a range was asked for? Remembers the range. */
  wantsWhole(volume: CachedVolume, needleId: bigint, start: number, end: number): boolean {
    const key = volume.keyOf(needleId);
    const isRun = this.#patterns.isSequential(key, start, end);
    const dataBytes = this.#patterns.sizeOf(key);
    return isRun && dataBytes > 0 && dataBytes <= this.#options.bytesMax * runShare;
  }

  /** Tells the seeker: at once where no VALIDATE is needed. */
  find(volume: CachedVolume, fetcher: NeedleFetcher, seeker: Seeker): void {
    const key = volume.keyOf(seeker.needleId);
    if (seeker.isFirst) this.#store.asked(key);
    const needle = this.#store.get(key);
    if (needle === undefined || !needle.isLive || needle.cookie !== seeker.cookie) {
      seeker.found(this.#missed(miss));
      return;
    }
    const nowMs = performance.now();
    if (
      needle.expiresAtMs !== undefined &&
      needle.expiresAtMs - nowMs < this.#options.ttlMarginMs
    ) {
      this.#store.delete(key, 'expired');
      seeker.found(this.#missed(miss));
      return;
    }
    const servedMs = volume.servedWithoutAskingMs(nowMs);
    if (servedMs > 0) {
      this.renew(fetcher, volume, servedMs);
      seeker.found(this.#hit(needle));
    } else if (seeker.mayAsk()) {
      this.validate(fetcher, volume, new WaitingHit(needle, seeker, nowMs, this.#validated));
    } else {
      seeker.found(refused);
    }
  }

  /** A READ, shared where that is allowed; 'again': look again, the cache may have it now. */
  fetch(
    volume: CachedVolume,
    fetcher: NeedleFetcher,
    command: ReadCommand,
    arrival: number,
  ): Promise<Fetched> {
    return this.#reads.fetch(volume, fetcher, command, arrival);
  }

  /**
   * A write or delete goes to the volume server, or was answered there: called at both. `isLost`: there will be no
   * answer, and it may be carried out yet.
   */
  written(volumeId: number, needleId: bigint, isLost: boolean = false): void {
    for (const target of this.#targets.values()) {
      const volume = target.known(volumeId);
      if (volume === undefined) continue;
      volume.overwritten(needleId, isLost);
      this.#store.delete(volume.keyOf(needleId), 'written');
    }
  }

  /** Tells the waiter what a VALIDATE said that is posted from now on; its verdict has been applied then. */
  validate(fetcher: NeedleFetcher, volume: CachedVolume, waiter: Waiter | undefined): void {
    (this.#targets.get(fetcher) as CachedTarget).validation.validate(volume, waiter);
  }

  /** Renews a lease in passing. */
  renew(fetcher: NeedleFetcher, volume: CachedVolume, servedMs: number): void {
    if (servedMs < volume.policy.leaseMs * renewShare) this.validate(fetcher, volume, undefined);
  }

  /** Lets lanes give a prepared answer of a live needle, not the decoded form. undefined: not this one. */
  publish(
    needle: CachedNeedle,
    prepared: PreparedAnswer,
    request: RecallableHead,
  ): Published | undefined {
    if (this.lanes === undefined || !needle.isLive) return undefined;
    needle.published ??= new PublishedAnswers(this.lanes, this.#options.ttlMarginMs);
    const grown = needle.published.add(needle, prepared, request);
    if (grown !== undefined && grown > 0) this.#store.grow(needle.key, grown);
    if (grown === undefined) return undefined;
    return grown < 0 ? 'known' : 'added';
  }

  /** Lanes have answered `requests` from here, `validated` of them after a question. */
  countAnswered(requests: number, bytes: number, validated: number): void {
    this.#counters.hits += requests;
    this.#counters.hitBytes += bytes;
    this.#counters.validatedHits += validated;
  }

  /** Lanes have answered from this needle about so often; it may have left meanwhile. */
  asked(needle: CachedNeedle, times: number): void {
    if (!needle.isLive) return;
    for (let i = 0; i < Math.min(times, askedMax); i += 1) this.#store.asked(needle.key);
    this.#store.get(needle.key);
  }

  /** Remembers an answer that was built for this needle. */
  prepare(needle: CachedNeedle, variant: string, answer: PreparedAnswer): void {
    if (!needle.isLive) return;
    const grown = needle.prepare(variant, answer);
    if (grown !== 0) this.#store.grow(needle.key, grown);
  }

  /** Returns the kept decoded form, not held. */
  decodedForm(needle: CachedNeedle): DecodedForm | undefined {
    return this.#decoded.get(needle);
  }

  /** Returns the kept form; else decodes the needle, once for all who ask meanwhile, and kept where the needle is. */
  async decoded(needle: CachedNeedle | undefined, decoding: Decoding): Promise<Made> {
    const kept = needle && this.#decoded.get(needle);
    if (kept !== undefined) {
      kept.hold();
      return { kind: 'form', form: kept };
    }
    const made = await this.#decoded.make(decoding);
    if (made.kind === 'form' && needle !== undefined) this.#decoded.put(needle, made.form);
    return made;
  }

  stats(): CacheStats {
    return {
      ...this.#counters,
      evictions: { ...this.#counters.evictions },
      needles: this.#store.count,
      bytes: this.#store.bytes,
      bytesMax: this.#options.bytesMax,
      slabs: this.#options.memory?.stats().slabs ?? 0,
      decodedBytes: this.#decoded.bytes,
      decodedForms: this.#decoded.count,
      decodingBytes: this.decodingRoom.bytes,
      decodingRefusals: this.decodingRoom.refusals,
      refusals: this.#store.refusals,
    };
  }

  /** Those asked for most lately first. */
  list(countMax: number): readonly ListedNeedle[] {
    return this.#store
      .mostAsked(countMax, listedFromMax)
      .filter(({ value }) => value.isLive)
      .map(({ value, asked }) => listed(value, asked, this.#decoded.has(value)));
  }

  /** Evicts the chosen needles. Returns their number. Those being sent are freed when they are sent. */
  evict(choice: EvictionChoice): number {
    let count = 0;
    for (const target of this.#targets.values()) {
      for (const { volumeId, needleId } of choice.needles) {
        const key = target.known(volumeId)?.keyOf(needleId);
        if (key === undefined || this.#store.peek(key)?.isLive !== true) continue;
        this.#store.delete(key, 'operator');
        count += 1;
      }
      for (const volume of target.volumes) {
        if (choice.isAll || choice.volumeIds.has(volume.volumeId)) count += volume.evictAll();
      }
    }
    return count;
  }

  /** Every slab goes home, those being sent when they are sent. */
  close(): void {
    this.#isClosed = true;
    this.#sweep.stop();
    this.#store.clear('closed');
  }

  readonly #validated: OnValidated = ({ needle, seeker, askedAtMs }, validation, nowMs) => {
    this.#options.onValidationWait?.(nowMs - askedAtMs, validation.kind);
    seeker.found(this.#judge(needle, validation));
  };

  #judge(needle: CachedNeedle, validation: Validation): Found {
    switch (validation.kind) {
      case 'checked':
        if (!needle.isLive) return this.#missed(stale);
        this.#counters.validatedHits += 1;
        return this.#hit(needle);
      case 'gone':
        return gone;
      case 'unconfirmed':
        return unconfirmed;
      case 'failed':
        return { kind: 'barred', status: validation.status };
    }
  }

  /** False: `kept` stays the caller's. */
  #offer(volume: CachedVolume, flight: NeedleFlight, needle: Needle, kept: KeptBytes): boolean {
    if (this.#isClosed) return false;
    if (!volume.admit(flight, needle.epoch, needle.position)) return false;
    const { ttlLeftMs } = needle;
    if (ttlLeftMs !== undefined && ttlLeftMs <= this.#options.ttlMarginMs) return false;
    const expiresAtMs = ttlLeftMs === undefined ? undefined : flight.postedAtMs + ttlLeftMs;
    const payload = kept.bytes + needle.name.length + needle.mime.length + needle.pairs.length;
    const { key } = flight;
    const mime = this.#mime(needle.mime);
    const cached = new CachedNeedle(volume, key, needle, mime, kept, expiresAtMs);
    if (!this.#store.offer(key, cached, slabBytes(payload))) return false;
    volume.link(cached);
    return true;
  }

  /** One text for all needles of a type. */
  #mime(mime: string): string {
    const known = this.#mimes.get(mime);
    if (known !== undefined) return known;
    if (this.#mimes.size < mimesMax) this.#mimes.set(mime, mime);
    return mime;
  }

  #newVolume(volumeId: number, collection: string): CachedVolume {
    this.#volumeOrdinal += 1;
    const asked = this.#options.policyOf(collection);
    const policy = { ...asked, leaseMs: Math.min(asked.leaseMs, leaseMsMax) };
    return new CachedVolume(this.#volumeOrdinal, volumeId, collection, policy, {
      dropChanged: (volume, needleIds) => {
        for (const needleId of needleIds) this.#store.delete(volume.keyOf(needleId), 'changed');
      },
      sweep: (first, reason) => this.#sweep.begin(first, reason),
    });
  }

  #left(needle: CachedNeedle, reason: EvictionReason): void {
    if (needle.isLive) needle.volume.unlink(needle);
    this.#counters.evictions[reason] += 1;
    this.#decoded.delete(needle);
    needle.leave();
  }

  #hit(needle: CachedNeedle): Found {
    this.#counters.hits += 1;
    this.#counters.hitBytes += needle.dataBytes;
    return { kind: 'hit', needle };
  }

  #missed(found: Found): Found {
    this.#counters.misses += 1;
    return found;
  }

  #roundTrip(fetcher: NeedleFetcher, status: StatusName): void {
    this.#counters.validations += 1;
    if (status !== 'ok') this.#counters.validationsFailed += 1;
    this.#options.onRoundTrip?.(fetcher, status);
  }
}
