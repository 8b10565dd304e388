/** The results of a look into the cache, and the seeker that looks. */
import type { StatusName } from '../../rdma/status.ts';
import type { CachedNeedle } from './cached-volume.ts';

export type Found =
  /** Fresh: what the volume held at some moment after the request arrived, or as far as the policy promises. */
  | { readonly kind: 'hit'; readonly needle: CachedNeedle }
  /** `stale`: it was there, and had changed. */
  | { readonly kind: 'miss'; readonly stale: boolean }
  /** The volume must not be served now, or no target could be asked. */
  | { readonly kind: 'barred'; readonly status: Exclude<StatusName, 'ok'> }
  /** The target would have to be asked, and may not be. */
  | { readonly kind: 'refused' };

/** A read that looks for its needle. */
export interface Seeker {
  readonly needleId: bigint;
  readonly cookie: number;
  /** True on the seeker's first look, which alone counts as a use. */
  readonly isFirst: boolean;
  /** Whether the target may be asked now; called when it is to be. */
  mayAsk(): boolean;
  /** Called once for each `find`. What is found is live now, and need not be later. Must not throw. */
  found(found: Found): void;
}
