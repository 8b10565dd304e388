/**
 * The latest requests that the fast path should have answered and did not, and those that failed: what /api/fallbacks
 * lists. Its length is fixed, and a request that was answered here never comes to it.
 */

import { type RequestRecord, troubleReasons } from '../../needle/outcome.ts';
import { maskedTarget } from '../../needle/request/masked-target.ts';

export interface Fallback {
  /** ISO 8601: when it ended. */
  readonly at: string;
  readonly outcome: RequestRecord['outcome'];
  readonly reason: RequestRecord['reason'];
  readonly method: string;
  /** With the needle's cookie and tokens masked; its first part where it is long. */
  readonly path: string;
  readonly transport: string;
  readonly durationMs: number;
  /** The volume server's failure, in words; '': it did not fail. */
  readonly error: string;
}

export const fallbacksMax = 256;
const pathCharsMax = 256;
const errorCharsMax = 256;

export class FallbackRing {
  readonly #ring: Fallback[] = [];
  #next = 0;

  /** Called for every finished request; keeps those that are trouble. */
  readonly observe = (record: RequestRecord): void => {
    if (record.outcome !== 'error' && !troubleReasons.has(record.reason)) return;
    const { outcome, reason, transport, durationMs, request, error = '' } = record;
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
