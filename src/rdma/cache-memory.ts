/**
 * Ordinary memory for bytes that are kept: not registered with any fabric, so that it may be as large as the machine has room.
 * The kernel gives its pages when they are written, and gets those of long needles back when they are released.
 */
import { loadBinding } from './binding.ts';
import { messageOf, RdmaUnavailableError } from './errors.ts';
import { type KeptBytes, LeasePool } from './lease.ts';
import type { NativeCacheMemory } from './native-types.ts';

export interface CacheMemoryOptions {
  readonly bytes: number;
  /** "off": without transparent hugepages. */
  readonly hugepages: 'try' | 'require' | 'off';
}

export interface CacheMemoryStats {
  readonly bytesTotal: number;
  /** Sum of the slabs that are out. */
  readonly bytesUsed: number;
  readonly slabs: number;
  readonly leaseLeaks: number;
}

/** Longer bytes have pages of their own (native/memory/arena.h). */
const copiedBytesMax = 32_768;
/** Slabs lie here and there: this much more address space than bytes leaves room for nearly all. */
const spareShare = 0.25;

export class CacheMemory {
  readonly #native: NativeCacheMemory;
  readonly #bytes: Buffer;
  readonly #pool: LeasePool;

  /** Throws RdmaUnavailableError where there is no native part, or the addresses cannot be had. */
  constructor({ bytes, hugepages }: CacheMemoryOptions) {
    const { CacheMemory: NativeClass } = loadBinding();
    try {
      this.#native = new NativeClass({
        arenaBytes: Math.ceil(bytes * (1 + spareShare)),
        hugepages,
      });
    } catch (cause) {
      throw new RdmaUnavailableError('start-failed', messageOf(cause), { cause });
    }
    this.#bytes = Buffer.from(this.#native.memory);
    this.#pool = new LeasePool((handle) => this.#native.release(handle), this.#native.memory);
  }

  /** A copy of these bytes, at least one; undefined: there is no room. */
  keep(view: Buffer): KeptBytes | undefined {
    const place = this.#native.take(view.length);
    if (place === undefined) return undefined;
    view.copy(this.#bytes, place.offset);
    return this.#pool.keepAt(place.handle, place.offset, view.length);
  }

  /** Whether kept bytes stay what they were for the kernel, which was given them by reference, when they are released. */
  static isByReference(bytes: number): boolean {
    return bytes > copiedBytesMax;
  }

  stats(): CacheMemoryStats {
    const { arenaBytesTotal, arenaBytesLeased, leasesOutstanding } = this.#native.stats();
    return {
      bytesTotal: arenaBytesTotal,
      bytesUsed: arenaBytesLeased,
      slabs: leasesOutstanding,
      leaseLeaks: this.#pool.leaks,
    };
  }
}
