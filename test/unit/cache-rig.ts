/** One cache in front of a fetcher that a test answers by hand: what the cache's tests have in common. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CachePolicy } from '../../src/proxy/cache/cache-policy.ts';
import type { CachedVolume } from '../../src/proxy/cache/cached-volume.ts';
import type { Found, Seeker } from '../../src/proxy/cache/found.ts';
import { NeedleCache, type NeedleCacheOptions } from '../../src/proxy/cache/needle-cache.ts';
import type { Fetched } from '../../src/proxy/cache/needle-flight.ts';
import { CacheMemory } from '../../src/rdma/cache-memory.ts';
import type { NeedleData, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import { ManualFetcher, type PendingRead } from './manual-fetcher.ts';

export const cookie: number = 9;
export const old: Buffer = Buffer.from('old bytes');
export const fresh: Buffer = Buffer.from('fresh bytes');
export const mebibyte: number = 1 << 20;

export const modes: Readonly<Record<CachePolicy['consistency'], CachePolicy>> = {
  strict: { consistency: 'strict', leaseMs: 1000 },
  lease: { consistency: 'lease', leaseMs: 1000 },
  immutable: { consistency: 'immutable', leaseMs: 1000 },
};

export class CacheRig {
  readonly fetcher: ManualFetcher = new ManualFetcher();
  readonly cache: NeedleCache;
  readonly memory: CacheMemory = new CacheMemory({ bytes: 4 * mebibyte, hugepages: 'off' });

  constructor(policy: CachePolicy = modes.strict, change: Partial<NeedleCacheOptions> = {}) {
    this.cache = new NeedleCache({
      bytesMax: mebibyte,
      decodedBytesMax: mebibyte,
      policyOf: () => policy,
      timeoutMs: 1000,
      validationsMax: 1,
      ttlMarginMs: 2000,
      memory: this.memory,
      ...change,
    });
  }

  get volume(): CachedVolume {
    return this.cache.volume(this.fetcher, 3) as CachedVolume;
  }

  find(needleId: bigint = 7n, asked: number = cookie, change: Partial<Seeker> = {}): Promise<Held> {
    return this.findIn(this.volume, needleId, asked, change);
  }

  findIn(
    volume: CachedVolume,
    needleId: bigint = 7n,
    asked: number = cookie,
    change: Partial<Seeker> = {},
  ): Promise<Held> {
    return new Promise((resolve) => {
      const found = (what: Found): void => resolve(held(what));
      const seeker = { needleId, cookie: asked, isFirst: true, mayAsk: () => true, found };
      this.cache.find(volume, this.fetcher, { ...seeker, ...change });
    });
  }

  fetch(
    needleId: bigint = 7n,
    change: Partial<ReadCommand> = {},
    arrival?: number,
  ): Promise<Fetched> {
    return this.cache.fetch(
      this.volume,
      this.fetcher,
      { ...wholeRead, needleId, ...change },
      arrival ?? this.cache.arrive(),
    );
  }

  get lastRead(): PendingRead {
    return this.fetcher.reads.at(-1) as PendingRead;
  }

  /** Has needle 7, or another, in the cache. */
  async fill(bytes: Uint8Array = old, needleId: bigint = 7n): Promise<void> {
    const fetched = this.fetch(needleId);
    this.lastRead.needle(bytes);
    release(await fetched);
  }

  /** The next VALIDATE has left. */
  async posted(count: number = 1): Promise<void> {
    for (let i = 0; i < 10 && this.fetcher.validates.length < count; i += 1) await turn();
    expect(this.fetcher.validates).toHaveLength(count);
  }
}

export const wholeRead: ReadCommand = {
  volumeId: 3,
  needleId: 7n,
  cookie,
  offset: 0,
  length: 0,
  wholeBytesMax: mebibyte,
  budgetBytes: mebibyte,
  metadataOnly: false,
  timeoutMs: 1000,
};

export const rangeRead: Partial<ReadCommand> = { offset: 2, length: 3, wholeBytesMax: 4 };

/** A hit with its bytes. */
export type Held = Found & { readonly data?: NeedleData };

/** At once: what is found need not be live later. */
function held(found: Found): Held {
  return found.kind === 'hit' ? { ...found, data: { offset: 0, ...found.needle.lend() } } : found;
}

export function release(answer: Held | Fetched): void {
  if ('data' in answer) answer.data?.lease.release();
}

/** What was answered, its lease given back. */
export function textOf(answer: Held | Fetched): string {
  release(answer);
  if (answer.kind === 'hit' || answer.kind === 'needle') return answer.data?.view.toString() ?? '';
  return answer.kind;
}

export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await turn();
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}
