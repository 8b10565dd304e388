/**
 * The choice of needles that stay cached when there is not room for all: W-TinyLFU with sizes. New values live in a
 * small window; a value that leaves it, or that is too large for it, enters the main part only when it was asked for
 * more often lately than all values together that it would push out ("aggregated victims": Einziger, Eytan, Friedman,
 * Manes, "Lightweight Robust Size Aware Cache Management", 2021). So neither a scan nor one large needle empties it. It
 * owns order and accounting; what a value holds is released by `onLeave`.
 */
import { LRUCache } from 'lru-cache';
import { FrequencySketch } from './frequency-sketch.ts';

export const evictionReasons = [
  'space',
  'changed',
  'written',
  'expired',
  'gone',
  'pressure',
  'operator',
  'replaced',
  'closed',
] as const;

export type EvictionReason = (typeof evictionReasons)[number];

export interface NeedleStoreOptions<V> {
  /** 0: everything is refused. */
  readonly bytesMax: number;
  /** Called exactly once for each value that leaves the store, whatever the way. Must not call the store. */
  readonly onLeave: (value: V, key: bigint, reason: EvictionReason) => void;
}

export interface AskedValue<V> {
  readonly value: V;
  /** How often lately; 255: so often or more. */
  readonly asked: number;
}

type Segment<V extends object> = LRUCache<bigint, V>;

interface Victim<V extends object> {
  readonly part: Segment<V>;
  readonly victim: bigint;
}

/** Share of all bytes. */
const windowShare = 0.02;
const protectedShare = 0.8;
/** How much more a request for a smaller needle may count, as it leaves room for others. */
const weightMax = 4;
const weighedFrequencyMin = 3;

export class NeedleStore<V extends object> {
  readonly #bytesMax: number;
  readonly #onLeave: NeedleStoreOptions<V>['onLeave'];
  readonly #sketch = new FrequencySketch();
  /** New values. */
  readonly #window: Segment<V> = segment();
  /** Those that won their place, not asked for since. */
  readonly #probation: Segment<V> = segment();
  /** Those that were. */
  readonly #protected: Segment<V> = segment();
  /** In the order in which values go when nothing else decides. */
  readonly #segments: readonly Segment<V>[] = [this.#probation, this.#window, this.#protected];
  readonly #main: readonly Segment<V>[] = [this.#probation, this.#protected];
  readonly #windowMax: number;
  readonly #protectedMax: number;
  #refusals = 0;

  constructor({ bytesMax, onLeave }: NeedleStoreOptions<V>) {
    this.#bytesMax = bytesMax;
    this.#onLeave = onLeave;
    this.#windowMax = Math.floor(bytesMax * windowShare);
    this.#protectedMax = Math.floor(bytesMax * protectedShare);
  }

  get bytes(): number {
    return (
      this.#window.calculatedSize + this.#probation.calculatedSize + this.#protected.calculatedSize
    );
  }

  get count(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Offers that were refused so far. A value that the window lets go counts as evicted, not here. */
  get refusals(): number {
    return this.#refusals;
  }

  /** A request for this needle, hit or miss: counts its frequency. */
  asked(key: bigint): void {
    this.#sketch.increment(key);
  }

  /** Counts as a use. */
  get(key: bigint): V | undefined {
    const found = this.#protected.get(key) ?? this.#window.get(key);
    if (found !== undefined) return found;
    const value = this.#probation.get(key);
    if (value !== undefined) this.#promote(key);
    return value;
  }

  peek(key: bigint): V | undefined {
    return this.#protected.peek(key) ?? this.#probation.peek(key) ?? this.#window.peek(key);
  }

  /** `bytes`: at least 1. False: refused, nothing changed, the value stays the caller's. Replaces what is there. */
  offer(key: bigint, value: V, bytes: number): boolean {
    this.#sketch.reserve(this.count);
    const home = this.#segmentOf(key);
    if (bytes > this.#bytesMax || (home === undefined && !this.#enters(key, bytes))) {
      this.#refusals += 1;
      return false;
    }
    if (home !== undefined) this.#remove(home, key, 'replaced');
    this.#put(home ?? this.#window, key, value, bytes);
    return true;
  }

  /** The value has grown by `bytes`: others may have to go, not itself. False: it alone would be too large; not counted. */
  grow(key: bigint, bytes: number): boolean {
    const home = this.#segmentOf(key);
    const value = home?.peek(key);
    if (home === undefined || value === undefined) return false;
    const grown = sizeIn(home, key) + bytes;
    if (grown > this.#bytesMax) return false;
    home.delete(key);
    this.#put(home, key, value, grown);
    return true;
  }

  delete(key: bigint, reason: EvictionReason): boolean {
    const home = this.#segmentOf(key);
    if (home !== undefined) this.#remove(home, key, reason);
    return home !== undefined;
  }

  /** Evicts the least valuable until at least `bytes` were given back, or nothing is left; returns how many bytes were. */
  shed(bytes: number): number {
    const before = this.bytes;
    while (this.count > 0 && before - this.bytes < bytes) this.#evictLeast('pressure');
    return before - this.bytes;
  }

  /** Yields the entries held when the first is asked for, except those that left meanwhile. No use is counted. */
  *entries(): Generator<[bigint, V]> {
    // The iterators of lru-cache do not bear the deletion of the entry they stand on.
    for (const key of this.#segments.flatMap((part) => [...part.keys()])) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /**
   * The values asked for most lately by the sketch's estimate, of the `scannedMax` that were used last: the best known
   * ones are among these, and looking at all would hold up everybody else. No use is counted.
   */
  mostAsked(countMax: number, scannedMax: number): readonly AskedValue<V>[] {
    const seen: AskedValue<V>[] = [];
    for (const part of this.#segments.toReversed()) {
      for (const [key, value] of part.entries()) {
        if (seen.length >= scannedMax) break;
        seen.push({ value, asked: this.#sketch.frequency(key) });
      }
    }
    return seen.sort((a, b) => b.asked - a.asked).slice(0, countMax);
  }

  clear(reason: EvictionReason): void {
    for (const [key] of this.entries()) this.delete(key, reason);
  }

  #segmentOf(key: bigint): Segment<V> | undefined {
    for (const part of this.#segments) if (part.has(key)) return part;
    return undefined;
  }

  #fitsWindow(bytes: number): boolean {
    return bytes <= this.#windowMax;
  }

  /** Decides on a newcomer; its victims are gone when it may. */
  #enters(key: bigint, bytes: number): boolean {
    if (this.#fitsWindow(bytes)) return true;
    const excess = this.bytes + bytes - this.#bytesMax;
    return excess <= 0 || this.#contest(key, bytes, excess, this.#segments);
  }

  /** Into this segment as its most recent, making room. The value is in none now. */
  #put(home: Segment<V>, key: bigint, value: V, bytes: number): void {
    const target = home !== this.#window || this.#fitsWindow(bytes) ? home : this.#entryOf(bytes);
    if (target === this.#window) this.#makeWindowRoom(bytes);
    while (this.bytes + bytes > this.#bytesMax) this.#evictLeast('space');
    target.set(key, value, { size: bytes });
    this.#demote();
  }

  /** Protected while that has room: two segments that were both full once would take twice the memory for their order. */
  #entryOf(bytes: number): Segment<V> {
    const fits = this.#protected.calculatedSize + bytes <= this.#protectedMax;
    return fits ? this.#protected : this.#probation;
  }

  /** The window's oldest go to the main part, as long as there is room or they win it. */
  #makeWindowRoom(bytes: number): void {
    while (this.#window.calculatedSize + bytes > this.#windowMax) {
      const key = oldestOf(this.#window);
      const own = sizeIn(this.#window, key);
      const need = Math.min(this.bytes + bytes - this.#bytesMax, own);
      if (need <= 0 || this.#contest(key, own, need, this.#main)) {
        move(key, this.#window, this.#entryOf(own));
      } else {
        this.#remove(this.#window, key, 'space');
      }
    }
  }

  /**
   * Is the key worth more than all that must go for it to have `need` bytes? Then they go. Otherwise they are looked at
   * last the next time, so that one that is worth much does not shield the rest.
   */
  #contest(key: bigint, bytes: number, need: number, parts: readonly Segment<V>[]): boolean {
    const frequency = this.#sketch.frequency(key);
    const victims: Victim<V>[] = [];
    let freed = 0;
    let lost = 0;
    for (const part of parts) {
      for (const victim of part.rkeys()) {
        if (freed >= need) break;
        victims.push({ part, victim });
        freed += sizeIn(part, victim);
        lost += this.#sketch.frequency(victim);
        if (lost >= frequency * weightOf(frequency, bytes, freed)) {
          for (const spared of victims) spared.part.get(spared.victim);
          return false;
        }
      }
    }
    for (const { part, victim } of victims) this.#remove(part, victim, 'space');
    return true;
  }

  #promote(key: bigint): void {
    if (sizeIn(this.#probation, key) > this.#protectedMax) return;
    move(key, this.#probation, this.#protected);
    this.#demote();
  }

  #demote(): void {
    while (this.#protected.calculatedSize > this.#protectedMax) {
      move(oldestOf(this.#protected), this.#protected, this.#probation);
    }
  }

  #evictLeast(reason: EvictionReason): void {
    const part = this.#segments.find(({ size }) => size > 0) as Segment<V>;
    this.#remove(part, oldestOf(part), reason);
  }

  #remove(part: Segment<V>, key: bigint, reason: EvictionReason): void {
    const value = part.peek(key) as V;
    part.delete(key);
    this.#onLeave(value, key, reason);
  }
}

/**
 * Weighs a newcomer's requests against those of victims that free more bytes than it takes. One hardly seen is worth no
 * more than any other, or a scan of small needles, and the sketch's errors about them, would push out large ones.
 */
function weightOf(frequency: number, bytes: number, freed: number): number {
  return frequency < weighedFrequencyMin ? 1 : Math.min(weightMax, Math.max(1, freed / bytes));
}

/** Keeps order and sizes. It never evicts by itself: room is made before something is put in. */
function segment<V extends object>(): Segment<V> {
  return new LRUCache({ maxSize: Number.MAX_SAFE_INTEGER });
}

function move<V extends object>(key: bigint, from: Segment<V>, to: Segment<V>): void {
  const { value, size } = from.info(key) as { readonly value: V; readonly size: number };
  from.delete(key);
  to.set(key, value, { size });
}

function sizeIn<V extends object>(part: Segment<V>, key: bigint): number {
  return part.info(key)?.size ?? 0;
}

/** Returns the oldest key of a segment that is not empty. */
function oldestOf<V extends object>(part: Segment<V>): bigint {
  return part.rkeys().next().value as bigint;
}
