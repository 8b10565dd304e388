/** What of the cache can be told to, and chosen by, whoever runs the proxy. */
import type { CachedNeedle } from './cached-needle.ts';

export interface ListedNeedle {
  readonly volumeId: number;
  readonly needleId: bigint;
  /** Whoever knows it may read the needle: for this process alone, never listed to others. */
  readonly cookie: number;
  /** Stored. */
  readonly bytes: number;
  /** An estimate: how often it was asked for lately, halved from time to time; 255 at most. */
  readonly hits: number;
  /** Its decoded form is cached too. */
  readonly decoded: boolean;
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
