/**
 * The latest tokens that were verified, so that the next read with the same one costs a look. Clients sign anew each second:
 * all reads of a file within it bring the same token, from all clients that share the key.
 */
import { LRUCache } from 'lru-cache';
import { allowsRead, grantOf, type ReadGrant } from '../../needle/token/read-token.ts';

/** SeaweedFS's own have some 150. */
const tokenBytesMax = 1_024;

export class TokenMemory {
  readonly #grants: LRUCache<string, ReadGrant> | undefined;
  #key: string | undefined;

  /** @param tokensMax 0: none is remembered */
  constructor(tokensMax: number) {
    this.#grants = tokensMax > 0 ? new LRUCache({ max: tokensMax }) : undefined;
  }

  get size(): number {
    return this.#grants?.size ?? 0;
  }

  /** Says what verifyReadToken says. With another key than the last one all that was remembered is forgotten. */
  verify(token: string, key: string, claimedFid: string, nowSeconds: number): boolean {
    if (key !== this.#key) {
      this.#key = key;
      this.#grants?.clear();
    }
    const known = this.#grants?.get(token);
    const grant = known ?? grantOf(token, key);
    if (grant === undefined) return false;
    const isAllowed = allowsRead(grant, claimedFid, nowSeconds);
    const isNew = known === undefined && isAllowed && token.length <= tokenBytesMax;
    if (isNew) this.#grants?.set(token, grant);
    return isAllowed;
  }
}
