/**
 * The latest requests that the fast path should have answered and did not, and those that failed: what /api/fallbacks
 * lists. Its length is fixed, and a request that was answered here never comes to it.
 */

import { reasons, troubleReasons } from '../../needle/reasons.ts';
import { maskedTarget } from '../../needle/request/masked-target.ts';
import type { RequestRecord } from '../../needle/request-record.ts';
import {
  amount,
  described,
  oneOf,
  record,
  text,
  time,
  type ValueOf,
} from '../../schema/json-schema.ts';

export const fallback = record({
  at: described(time, 'When it ended.'),
  outcome: oneOf('passthrough', 'error'),
  reason: described(oneOf('', ...reasons), 'docs/reasons.md explains each and says what to do.'),
  method: text,
  path: described(
    text,
    "The needle's cookie and tokens are masked; the first part where it is long.",
  ),
  transport: text,
  durationMs: amount,
  error: described(text, "The volume server's failure, in words; '': it did not fail."),
});
export type Fallback = ValueOf<typeof fallback>;

export const fallbacksMax = 256;
const pathCharsMax = 256;
const errorCharsMax = 256;

export class FallbackRing {
  readonly #ring: Fallback[] = [];
  #next = 0;

  /** Called for every finished request; keeps those that are trouble. */
  readonly observe = (record: RequestRecord): void => {
    const { outcome, reason, transport, durationMs, request, error = '' } = record;
    if (outcome === 'cache' || outcome === 'rdma') return;
    if (outcome === 'passthrough' && !troubleReasons.has(reason)) return;
    this.#ring[this.#next] = {
      at: new Date().toISOString(),
      outcome,
      reason,
      method: request.method,
      path: maskedTarget(request.target).slice(0, pathCharsMax),
      transport,
      durationMs: Math.round(durationMs * 1000) / 1000,
      error: error.slice(0, errorCharsMax),
    };
    this.#next = (this.#next + 1) % fallbacksMax;
  };

  /** The latest first. */
  latest(countMax: number): readonly Fallback[] {
    const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return ordered.toReversed().slice(0, countMax);
  }
}
