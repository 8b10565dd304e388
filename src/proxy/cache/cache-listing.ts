/** The view of the cache that the operator can list and choose from. */
import type { ShownNeedle } from './cache-status.ts';
import type { CachedNeedle } from './cached-volume.ts';

export interface ListedNeedle extends ShownNeedle {
  /** A client that knows the cookie may read the needle: for this process alone, never listed to others. */
  readonly cookie: number;
}

/** Each of the three adds to the others. */
export interface EvictionChoice {
  readonly needles: readonly { readonly volumeId: number; readonly needleId: bigint }[];
  readonly volumeIds: ReadonlySet<number>;
  readonly isAll: boolean;
}

export function listed(needle: CachedNeedle, hits: number, decoded: boolean): ListedNeedle {
  const { volumeId, needleId, cookie, dataBytes } = needle;
  return { volumeId, needleId, cookie, bytes: dataBytes, hits, decoded };
}
