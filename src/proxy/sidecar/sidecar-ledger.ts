/** The outcomes of all requests to the sidecar, in plain numbers. The sum is the requests that were parsed. */

import { type SidecarOutcome, type SidecarPath, sidecarPaths } from './sidecar-outcome.ts';
import type { SidecarSeries } from './sidecar-status.ts';

export interface SidecarRecord {
  readonly path: SidecarPath;
  readonly outcome: SidecarOutcome;
  /** Why it came over HTTP, was refused or failed; else ''. */
  readonly reason: string;
  /** Needle bytes in the answer. */
  readonly needleBytes: number;
  readonly durationMs: number;
}

/** Receives every finished request exactly once. */
export type SidecarObserver = (record: SidecarRecord) => void;

export class SidecarLedger {
  readonly #series = new Map<string, { -readonly [K in keyof SidecarSeries]: SidecarSeries[K] }>();
  readonly #needleBytes = { cache: 0, rdma: 0, http: 0 };

  readonly observe: SidecarObserver = ({ path, outcome, reason, needleBytes }) => {
    const key = `${path} ${outcome} ${reason}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { path, outcome, reason, count: 0 };
      this.#series.set(key, series);
    }
    series.count += 1;
    if (outcome === 'cache' || outcome === 'rdma' || outcome === 'http') {
      this.#needleBytes[outcome] += needleBytes;
    }
  };

  get series(): readonly SidecarSeries[] {
    return [...this.#series.values()];
  }

  get needleBytes(): Readonly<Record<'cache' | 'rdma' | 'http', number>> {
    return this.#needleBytes;
  }

  /** Requests with this outcome, of all paths or of the reads. */
  count(outcome: SidecarOutcome, paths: readonly SidecarPath[] = sidecarPaths): number {
    let sum = 0;
    for (const each of this.#series.values()) {
      if (each.outcome === outcome && paths.includes(each.path)) sum += each.count;
    }
    return sum;
  }
}
