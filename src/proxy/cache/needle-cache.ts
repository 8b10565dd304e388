/**
 * The hot-needle cache: whole needles that stay in the arena, single flight, and what makes a hit fresh (DESIGN section
 * 4). Knows no HTTP; the corridor asks `find`, then `fetch`, and tells it of every write that passes through.
 */

import type {
  FetchResult,
  Needle,
  NeedleData,
  NeedleFetcher,
  ReadCommand,
} from '../../rdma/needle-fetcher.ts';
import { slabBytes } from '../../rdma/slab-size.ts';
import type { DecodeResult } from '../response/decode.ts';
import type { PreparedAnswer } from '../response/prepared-answer.ts';
import { CacheCounters, type CacheStats } from './cache-counters.ts';
import { CachedNeedle } from './cached-needle.ts';
import { CachedTarget } from './cached-target.ts';
import { CachedVolume, type CachePolicy } from './cached-volume.ts';
import { DeadSweep } from './dead-sweep.ts';
import { DecodedForms } from './decoded-forms.ts';
import type { Validation } from './group-validation.ts';
import { type Fetched, NeedleFlight } from './needle-flight.ts';
import { type EvictionReason, NeedleStore } from './needle-store.ts';
import { RangePatterns } from './range-patterns.ts';

export interface NeedleCacheOptions {
  /** Of slabs and prepared heads; 0: no cache. */
  readonly bytesMax: number;
  /** Of decoded forms, on the heap. */
  readonly decodedBytesMax: number;
  readonly policyOf: (collection: string) => CachePolicy;
  readonly timeoutMs: number;
  /** VALIDATEs under way per target. */
  readonly validationsMax: number;
  /** A needle this close to the end of its ttl is not served from here. */
  readonly ttlMarginMs: number;
  /** Slabs that the arena could not give so far, and what the last of them was to hold. */
  readonly arenaRefusals?: () => { readonly count: number; readonly lastBytes: number };
  /** Called for each hit that waited for a VALIDATE. */
  readonly onValidationWait?: (waitedMs: number, validation: Validation) => void;
}

export type Found =
  /** Fresh: what the volume held at some moment after the request arrived, or as far as the policy promises. */
  | { readonly kind: 'hit'; readonly needle: CachedNeedle; readonly data: NeedleData }
  /** `stale`: it was there, and had changed. */
  | { readonly kind: 'miss'; readonly stale: boolean }
  /** The volume must not be served now. */
  | { readonly kind: 'barred'; readonly status: 'volume_unconfirmed' | 'unknown_volume' };

const miss: Found = { kind: 'miss', stale: false };
const stale: Found = { kind: 'miss', stale: true };
const gone: Found = { kind: 'barred', status: 'unknown_volume' };
const unconfirmed: Found = { kind: 'barred', status: 'volume_unconfirmed' };

/** Types whose text is shared among needles. */
const mimesMax = 1024;
/** A larger needle than this share of the cache is read range by range, whatever the pattern. */
const runShare = 0.125;
/** A READ that finds the arena full is repeated this often, after as much was given back. */
const shedRounds = 3;
/** A lease is renewed in passing when less than this share of it is left. */
const renewShare = 0.3;

export class NeedleCache {
  readonly #options: NeedleCacheOptions;
  readonly #counters = new CacheCounters();
  readonly #store: NeedleStore<CachedNeedle>;
  readonly #sweep: DeadSweep;
  readonly #decoded: DecodedForms;
  readonly #patterns = new RangePatterns();
  readonly #targets = new Map<NeedleFetcher, CachedTarget>();
  readonly #mimes = new Map<string, string>();
  #volumeOrdinal = 0;
  #arrivals = 0;
  #refusalsSeen = 0;

  constructor(options: NeedleCacheOptions) {
    this.#options = options;
    this.#decoded = new DecodedForms(options.bytesMax === 0 ? 0 : options.decodedBytesMax);
    this.#store = new NeedleStore({
      bytesMax: options.bytesMax,
      onLeave: (needle, _key, reason) => this.#left(needle, reason),
    });
    this.#sweep = new DeadSweep(this.#store);
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
          onRoundTrip: (isAnswered) => this.#validated(isAnswered),
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

  /** At once where no VALIDATE is needed. */
  find(
    volume: CachedVolume,
    fetcher: NeedleFetcher,
    { needleId, cookie }: { readonly needleId: bigint; readonly cookie: number },
    isFirstLook: boolean,
  ): Found | Promise<Found> {
    const key = volume.keyOf(needleId);
    if (isFirstLook) this.#store.asked(key);
    const needle = this.#store.get(key);
    if (needle === undefined || !needle.isLive) return this.#missed(miss);
    if (needle.cookie !== cookie) return this.#missed(miss);
    const nowMs = performance.now();
    if (
      needle.expiresAtMs !== undefined &&
      needle.expiresAtMs - nowMs < this.#options.ttlMarginMs
    ) {
      this.#store.delete(key, 'expired');
      return this.#missed(miss);
    }
    const servedMs = volume.servedWithoutAskingMs(nowMs);
    if (servedMs <= 0) return this.#whenValidated(fetcher, needle, nowMs);
    if (servedMs < volume.policy.leaseMs * renewShare) void this.#validation(fetcher, volume);
    return this.#hit(needle);
  }

  /** A READ, shared where that is allowed; 'again': look again, the cache may have it now. */
  async fetch(
    volume: CachedVolume,
    fetcher: NeedleFetcher,
    command: ReadCommand,
    arrival: number,
  ): Promise<Fetched> {
    if (command.metadataOnly) return this.read(fetcher, command);
    const key = volume.keyOf(command.needleId);
    const bringsWhole = command.wholeBytesMax >= command.budgetBytes;
    const other = volume.flights.get(key);
    if (other !== undefined) {
      const isSound = !other.isOverwritten && !other.isOutdated;
      if (isSound && other.cookie !== command.cookie) return this.read(fetcher, command);
      if (isSound && other.bringsWhole >= bringsWhole) {
        if (!other.bringsWhole && this.#patterns.isLarge(key)) return this.read(fetcher, command);
        this.#counters.joins += 1;
        return other.join(arrival);
      }
      other.isOverwritten = true;
    }
    const flight = new NeedleFlight(this.arrive(), command.cookie, bringsWhole);
    volume.flights.set(key, flight);
    const fetched = await this.read(fetcher, command);
    if (volume.flights.get(key) === flight) volume.flights.delete(key);
    return this.#landed(volume, key, flight, fetched);
  }

  /** A READ for one request alone; makes room where the cache fills the arena. */
  async read(fetcher: NeedleFetcher, command: ReadCommand): Promise<FetchResult> {
    for (let round = 1; ; round += 1) {
      const result = await fetcher.read(command);
      const isFull = result.kind === 'failed' && result.status === 'no_slab';
      if (!isFull || round > shedRounds || !this.#makeRoom()) return result;
    }
  }

  /** A write or delete goes to the volume server, or was answered there: called at both. */
  written(volumeId: number, needleId: bigint): void {
    for (const target of this.#targets.values()) {
      const volume = target.known(volumeId);
      if (volume === undefined) continue;
      volume.overwritten(needleId);
      this.#store.delete(volume.keyOf(needleId), 'written');
    }
  }

  /** Remembers an answer that was built for this needle. */
  prepare(needle: CachedNeedle, variant: string, answer: PreparedAnswer): void {
    if (!needle.isLive) return;
    const grown = needle.prepare(variant, answer);
    if (grown !== 0) this.#store.grow(needle.key, grown);
  }

  decodedForm(needle: CachedNeedle): Buffer | undefined {
    return this.#decoded.get(needle);
  }

  /** As kept; else by `decode`, once for all who ask meanwhile, and kept. */
  async decoded(needle: CachedNeedle, decode: () => Promise<DecodeResult>): Promise<DecodeResult> {
    const bytes = this.#decoded.get(needle);
    if (bytes !== undefined) return { kind: 'decoded', bytes };
    const result = await this.#decoded.once(needle, decode);
    if (result.kind === 'decoded') this.#decoded.put(needle, result.bytes);
    return result;
  }

  stats(): CacheStats {
    return {
      ...this.#counters,
      evictions: { ...this.#counters.evictions },
      needles: this.#store.count,
      bytes: this.#store.bytes,
      bytesMax: this.#options.bytesMax,
      decodedBytes: this.#decoded.bytes,
      decodedForms: this.#decoded.count,
      refusals: this.#store.refusals,
    };
  }

  /** Every slab goes home, those being sent when they are sent. */
  close(): void {
    this.#sweep.stop();
    this.#store.clear('closed');
  }

  async #whenValidated(
    fetcher: NeedleFetcher,
    needle: CachedNeedle,
    askedAtMs: number,
  ): Promise<Found> {
    const validation = await this.#validation(fetcher, needle.volume);
    this.#options.onValidationWait?.(performance.now() - askedAtMs, validation);
    switch (validation) {
      case 'checked':
        if (!needle.isLive) return this.#missed(stale);
        this.#counters.validatedHits += 1;
        return this.#hit(needle);
      case 'gone':
        return gone;
      case 'unconfirmed':
        return unconfirmed;
      case 'failed':
        return this.#missed(miss);
    }
  }

  #validation(fetcher: NeedleFetcher, volume: CachedVolume): Promise<Validation> {
    return (this.#targets.get(fetcher) as CachedTarget).validate(volume);
  }

  /** False: it is not this side's arena that is full, or there is nothing to give back. */
  #makeRoom(): boolean {
    const refusals = this.#options.arenaRefusals?.();
    if (refusals === undefined || refusals.count === this.#refusalsSeen) return false;
    this.#refusalsSeen = refusals.count;
    // Twice, since what is given back lies here and there.
    return this.#store.shed(refusals.lastBytes * 2) > 0;
  }

  #landed(volume: CachedVolume, key: bigint, flight: NeedleFlight, fetched: Fetched): Fetched {
    if (fetched.kind !== 'needle') {
      flight.land(fetched.kind === 'failed' ? () => fetched : undefined);
      return fetched;
    }
    const { needle, data } = fetched;
    if (data === undefined || data.view.length !== needle.dataBytes) {
      this.#patterns.noteSize(key, needle.dataBytes);
      // Too large to be brought: so it is for whoever asked for all of it.
      flight.land(flight.bringsWhole && data === undefined ? () => fetched : undefined);
      return fetched;
    }
    const kept = data.lease.keep(data.view);
    const share = (): Fetched & { kind: 'needle' } => ({
      kind: 'needle',
      needle,
      data: { offset: 0, ...kept.lend() } satisfies NeedleData,
    });
    const mine = share();
    flight.land(share);
    if (!this.#offer(volume, key, flight, needle, kept)) {
      kept.release();
      if (this.#patterns.isLarge(key)) this.#patterns.giveUp(key);
    }
    return mine;
  }

  #offer(
    volume: CachedVolume,
    key: bigint,
    flight: NeedleFlight,
    needle: Needle,
    kept: ReturnType<NeedleData['lease']['keep']>,
  ): boolean {
    if (!volume.admit(flight, needle.epoch, needle.position)) return false;
    const { ttlLeftMs } = needle;
    if (ttlLeftMs !== undefined && ttlLeftMs <= this.#options.ttlMarginMs) return false;
    const expiresAtMs = ttlLeftMs === undefined ? undefined : flight.postedAtMs + ttlLeftMs;
    const payload = kept.bytes + needle.name.length + needle.mime.length + needle.pairs.length;
    const cached = new CachedNeedle(
      volume,
      key,
      needle,
      this.#mime(needle.mime),
      kept,
      expiresAtMs,
    );
    if (!this.#store.offer(key, cached, slabBytes(payload))) return false;
    volume.count += 1;
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
    const policy = this.#options.policyOf(collection);
    return new CachedVolume(this.#volumeOrdinal, volumeId, collection, policy, {
      dropChanged: (volume, needleIds) => {
        for (const needleId of needleIds) this.#store.delete(volume.keyOf(needleId), 'changed');
      },
      sweep: (volume, reason) => this.#sweep.begin(volume, reason),
    });
  }

  #left(needle: CachedNeedle, reason: EvictionReason): void {
    needle.volume.count -= 1;
    this.#counters.evictions[reason] += 1;
    this.#decoded.delete(needle);
    needle.leave();
  }

  #hit(needle: CachedNeedle): Found {
    this.#counters.hits += 1;
    this.#counters.hitBytes += needle.dataBytes;
    return { kind: 'hit', needle, data: { offset: 0, ...needle.lend() } };
  }

  #missed(found: Found): Found {
    this.#counters.misses += 1;
    return found;
  }

  #validated(isAnswered: boolean): void {
    this.#counters.validations += 1;
    if (!isAnswered) this.#counters.validationsFailed += 1;
  }
}
