import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { NeedleCache } from '../cache/needle-cache.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';
import type { FallbackOptions } from './fallback.ts';
import type { FetchLimits } from './needle-fetch.ts';

export interface ReadOptions extends FetchLimits, FallbackOptions {
  readonly decodedBytesMax: number;
}

/** One read and where it is served. */
export interface Reading {
  readonly options: ReadOptions;
  readonly entry: TargetEntry;
  readonly fetcher: NeedleFetcher;
  readonly cache: NeedleCache;
  readonly read: ReadRequest;
}
