import type { FetchResult } from '../../rdma/needle-fetcher.ts';

/**
 * The result for a reader of a needle: a READ's answer, its own or a shared one, or the advice to look again, since the
 * READ came too early for it. `isStored`: it is in the cache now.
 */
export type Fetched =
  | (FetchResult & { readonly isShared?: true; readonly isStored?: boolean })
  | { readonly kind: 'again' };

const again: Fetched = { kind: 'again' };

interface Joiner {
  readonly arrival: number;
  readonly resolve: (fetched: Fetched) => void;
}

/**
 * One READ under way. Who arrived before it was posted may have its answer; who came later only waits for it, and is
 * then answered from what it left in the cache, by the cache's rules, or by a READ of its own.
 */
export class NeedleFlight {
  readonly key: bigint;
  readonly cookie: number;
  /** True if the READ brings the whole needle for sure; otherwise only if that is small. */
  readonly bringsWhole: boolean;
  readonly postedAtMs: number = performance.now();
  /** The target said that the needle changed, or may have, after the READ was posted. */
  isOutdated = false;
  /** A write or delete of the needle went through here after the READ was posted. */
  isOverwritten = false;
  readonly #posted: number;
  readonly #joiners: Joiner[] = [];

  /** `posted`: counted with the arrivals of requests. */
  constructor(posted: number, key: bigint, cookie: number, bringsWhole: boolean) {
    this.#posted = posted;
    this.key = key;
    this.cookie = cookie;
    this.bringsWhole = bringsWhole;
  }

  /** True if the answer, or the needle that it leaves in the cache, may serve a reader with this cookie. */
  mayServe(cookie: number, wantsWhole: boolean): boolean {
    if (this.isOverwritten || this.isOutdated || this.cookie !== cookie) return false;
    return this.bringsWhole || !wantsWhole;
  }

  join(arrival: number): Promise<Fetched> {
    return new Promise((resolve) => this.#joiners.push({ arrival, resolve }));
  }

  /** `share` makes an answer for one joiner; undefined: the answer is of no use to others. The first call counts. */
  land(share: (() => Fetched) | undefined): void {
    for (const { arrival, resolve } of this.#joiners.splice(0)) {
      resolve(share === undefined || arrival > this.#posted ? again : share());
    }
  }
}
