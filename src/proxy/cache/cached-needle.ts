import type { PreparedAnswer } from '../../needle/answer/prepared-answer.ts';
import type { KeptBytes } from '../../rdma/lease.ts';
import type { Needle, NeedleFacts } from '../../rdma/needle-fetcher.ts';

const flagBits = 8;
/** Prepared answers of one needle beside its first; more variants than these are built anew each time. */
const otherVariantsMax = 7;

/** The volume of a needle, as far as the needle asks it. */
export interface NeedleVolume {
  readonly volumeId: number;
  readonly generation: number;
  readonly epoch: bigint;
  readonly position: bigint;
  /** The needle leaves the store. */
  unlink(needle: CachedNeedle): void;
}

/**
 * A whole needle whose stored bytes lie in the arena. Held by the hundred thousand, so every field counts: 32-bit values
 * are kept signed (a small integer each), and what can be derived is.
 */
export class CachedNeedle implements NeedleFacts {
  readonly volume: NeedleVolume;
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

  constructor(
    volume: NeedleVolume,
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
