/** Volume id → the volume servers that have it, and the targets beside them. */
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import { Breaker, breakerDefaults } from './breaker.ts';
import { type HedgeOptions, Hedging } from './hedging.ts';
import type { LearnedFacts } from './learned-facts.ts';
import { OwnedVolumes } from './owned-volumes.ts';

export interface TargetEntry {
  /** The volume server, as configured. */
  readonly upstreamUrl: string;
  /** Absent with `mode = "off"`, and where no target runs beside the server. */
  readonly fetcher: NeedleFetcher | undefined;
  readonly facts: LearnedFacts;
  readonly breaker: Breaker;
  /** Absent: no read of this target is hedged. */
  readonly hedging: Hedging | undefined;
  readonly owned: OwnedVolumes;
}

export function targetEntry(
  upstreamUrl: string,
  fetcher: NeedleFetcher | undefined,
  facts: LearnedFacts,
  hedge?: HedgeOptions,
): TargetEntry {
  const breaker = new Breaker(
    fetcher && { ...breakerDefaults, isAlive: (timeoutMs) => isAlive(fetcher, timeoutMs) },
  );
  return {
    upstreamUrl,
    fetcher,
    facts,
    breaker,
    hedging: hedge && new Hedging(hedge, breaker),
    owned: new OwnedVolumes(fetcher),
  };
}

async function isAlive(fetcher: NeedleFetcher, timeoutMs: number): Promise<boolean> {
  return (await fetcher.ping(timeoutMs)).kind === 'pong';
}

/** A volume server that has a volume, as far as is known. */
export interface VolumeHolder {
  readonly entry: TargetEntry;
  /** The server's target is up and announces the volume. */
  readonly announced: boolean;
  readonly confirmed: boolean;
}

/** How good a holder is; 0: it is none. */
const ranks = { none: 0, silent: 1, announced: 2, listed: 3, listedAndAnnounced: 4, confirmed: 5 };
/** Volumes whose last holder is remembered after no server lists them any more. */
const formerCountMax = 65_536;

export class TargetDirectory {
  readonly entries: readonly TargetEntry[];
  readonly #first: TargetEntry;
  readonly #former = new Map<number, TargetEntry>();

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

  /** Tells the breaker of this target how a round trip ended. */
  readonly tellBreaker = (fetcher: NeedleFetcher, status: StatusName): void => {
    for (const entry of this.entries) if (entry.fetcher === fetcher) entry.breaker.ended(status);
  };

  /** The first of `find`. */
  best(volumeId: number): VolumeHolder | undefined {
    if (this.entries.length === 1) return holderOf(this.#first, volumeId);
    return this.find(volumeId)[0];
  }

  /**
   * The servers that have the volume, the best first: whose target has it confirmed, which list it and answer, whose
   * target announces it, which listed it and do not answer now. Empty: none is known. A single server has them all.
   */
  find(volumeId: number): readonly VolumeHolder[] {
    if (this.entries.length === 1) return [holderOf(this.#first, volumeId)];
    const holders: { readonly holder: VolumeHolder; readonly rank: number }[] = [];
    for (const entry of this.entries) {
      const holder = holderOf(entry, volumeId);
      const rank = rankOf(holder, volumeId);
      if (rank > ranks.none) holders.push({ holder, rank });
    }
    if (holders.length > 1) holders.sort((a, b) => b.rank - a.rank);
    return holders.map(({ holder }) => holder);
  }

  /** The server that listed the volume last, of a volume that none lists now. */
  lastHolder(volumeId: number): VolumeHolder | undefined {
    const entry = this.#former.get(volumeId);
    return entry && holderOf(entry, volumeId);
  }

  /** A server's whole list. */
  listed(entry: TargetEntry, volumes: ReadonlySet<number>): void {
    const gone = entry.owned.list(volumes);
    for (const volumeId of gone) this.#remember(volumeId, entry);
    if (this.#former.size > 0) for (const volumeId of volumes) this.#former.delete(volumeId);
  }

  #remember(volumeId: number, entry: TargetEntry): void {
    if (this.entries.some((other) => other.owned.has(volumeId))) return;
    this.#former.set(volumeId, entry);
    if (this.#former.size <= formerCountMax) return;
    const oldest = this.#former.keys().next();
    if (!oldest.done) this.#former.delete(oldest.value);
  }
}

function holderOf(entry: TargetEntry, volumeId: number): VolumeHolder {
  const volume = entry.fetcher?.volumes.get(volumeId);
  return { entry, announced: volume !== undefined, confirmed: volume?.confirmed === true };
}

function rankOf({ entry, announced, confirmed }: VolumeHolder, volumeId: number): number {
  if (confirmed) return ranks.confirmed;
  if (!entry.owned.has(volumeId)) return announced ? ranks.announced : ranks.none;
  if (entry.facts.upstream.kind === 'down') return announced ? ranks.announced : ranks.silent;
  return announced ? ranks.listedAndAnnounced : ranks.listed;
}
