/** The outcomes of all requests to the sidecar, in plain numbers. The sum is the requests that were parsed. */

export const sidecarPaths = [
  'read',
  'rdma_read',
  'cleanup',
  'health',
  'stats',
  'ping',
  'capabilities',
  'benchmark',
  'other',
] as const;

export type SidecarPath = (typeof sidecarPaths)[number];

/**
 * cache, rdma, http: bytes of a needle, by who gave them; declined: bytes that the mount is told to read itself; ok: another answer; refused: the request's fault (4xx); error:
 * not (5xx); aborted: the client went away first.
 */
export type SidecarOutcome =
  | 'cache'
  | 'rdma'
  | 'http'
  | 'declined'
  | 'ok'
  | 'refused'
  | 'error'
  | 'aborted';

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

export interface SidecarSeries {
  readonly path: SidecarPath;
  readonly outcome: SidecarOutcome;
  readonly reason: string;
  readonly count: number;
}

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
