import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { CachedVolume } from '../cache/cached-volume.ts';
import type { NeedleCache } from '../cache/needle-cache.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';
import type { FallbackOptions } from './fallback.ts';
import type { FetchLimits } from './needle-fetch.ts';

export interface ReadOptions extends FetchLimits, FallbackOptions {
  readonly decodedBytesMax: number;
}

/** One read and where it is served. */
export interface ReadPlace {
  readonly options: ReadOptions;
  readonly entry: TargetEntry;
  readonly fetcher: NeedleFetcher;
  readonly cache: NeedleCache;
  readonly read: ReadRequest;
}

/** One read under way. */
export interface Reading extends ReadPlace {
  /** The rest of `timeoutMs`, which counts for all round trips of the read together; at least 1 ms. */
  readonly leftMs: number;
}

/** A read that asks its target. */
export interface FetchingRead extends Reading {
  /** undefined: needles of the volume are not cached. */
  readonly volume: CachedVolume | undefined;
  readonly arrival: number;
  readonly wantsData: boolean;
  readonly wantsWhole: boolean;
  /** It waited for another read's READ. */
  readonly joined: boolean;
  /** The cache had a needle that had changed. */
  readonly stale: boolean;
  /** The client has its answer, or will have none, and the rest is for others. */
  readonly isOver: boolean;
}
