/** Per collection: how a cached needle is known to be fresh. */
export interface CachePolicy {
  readonly consistency: 'strict' | 'lease' | 'immutable';
  /** With `lease`: how long one lasts. */
  readonly leaseMs: number;
}
