/** Volume id → the target that serves it and the volume server behind it. */
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { Breaker } from './breaker.ts';
import type { LearnedFacts } from './learned-facts.ts';

export interface TargetEntry {
  /** The volume server, as configured. */
  readonly upstreamUrl: string;
  /** Absent with `mode = "off"`. */
  readonly fetcher: NeedleFetcher | undefined;
  readonly facts: LearnedFacts;
  readonly breaker: Breaker;
}

export function targetEntry(
  upstreamUrl: string,
  fetcher: NeedleFetcher | undefined,
  facts: LearnedFacts,
): TargetEntry {
  return { upstreamUrl, fetcher, facts, breaker: new Breaker() };
}

export interface VolumePlace {
  readonly entry: TargetEntry;
  /** False: no target that is up announces the volume; the entry is then the first volume server listed. */
  readonly announced: boolean;
  readonly confirmed: boolean;
}

export class TargetDirectory {
  readonly entries: readonly TargetEntry[];
  readonly #first: TargetEntry;

  /** At least one entry. */
  constructor(entries: readonly TargetEntry[]) {
    const [first] = entries;
    if (first === undefined) throw new RangeError('a target directory needs at least one entry');
    this.entries = entries;
    this.#first = first;
  }

  get first(): TargetEntry {
    return this.#first;
  }

  /** The first target with a confirmed copy, else the first that announces one, else the first entry. */
  find(volumeId: number): VolumePlace {
    let unconfirmed: TargetEntry | undefined;
    for (const entry of this.entries) {
      const volume = entry.fetcher?.volumes.get(volumeId);
      if (volume === undefined) continue;
      if (volume.confirmed) return { entry, announced: true, confirmed: true };
      unconfirmed ??= entry;
    }
    if (unconfirmed !== undefined) return { entry: unconfirmed, announced: true, confirmed: false };
    return { entry: this.#first, announced: false, confirmed: false };
  }
}
