/** READs: one for all who want the same needle, and again where the cache itself fills the arena. */
import type { KeptBytes } from '../../rdma/lease.ts';
import type {
  FetchResult,
  Needle,
  NeedleData,
  NeedleFetcher,
  ReadCommand,
} from '../../rdma/needle-fetcher.ts';
import type { CacheCounters } from './cache-status.ts';
import type { CachedVolume } from './cached-volume.ts';
import { type Fetched, NeedleFlight } from './needle-flight.ts';
import type { RangePatterns } from './range-patterns.ts';

/** Slabs that the arena could not give so far, and what the last of them was to hold. */
export type ArenaRefusals = () => { readonly count: number; readonly lastBytes: number };

export interface NeedleReadsOptions {
  readonly counters: CacheCounters;
  readonly patterns: RangePatterns;
  /** Counts among the arrivals of requests. */
  readonly arrive: () => number;
  /** False: it is not kept. */
  readonly offer: (
    volume: CachedVolume,
    flight: NeedleFlight,
    needle: Needle,
    kept: KeptBytes,
  ) => boolean;
  /** False: there is nothing to give back. */
  readonly shed: (bytes: number) => boolean;
  readonly arenaRefusals: ArenaRefusals | undefined;
}

/** A READ that finds the arena full is repeated this often, after as much was given back. */
const shedRounds = 3;

export class NeedleReads {
  readonly #options: NeedleReadsOptions;
  #refusalsSeen = 0;
  #sheds = 0;

  constructor(options: NeedleReadsOptions) {
    this.#options = options;
  }

  /** Shared where that is allowed; 'again': look into the cache again. */
  async fetch(
    volume: CachedVolume,
    fetcher: NeedleFetcher,
    command: ReadCommand,
    arrival: number,
  ): Promise<Fetched> {
    if (command.metadataOnly) return this.read(fetcher, command);
    const { cookie } = command;
    const key = volume.keyOf(command.needleId);
    const bringsWhole = command.wholeBytesMax >= command.budgetBytes;
    const other = volume.flightsOf(key).find((flight) => flight.mayServe(cookie, bringsWhole));
    if (other !== undefined) {
      const isLarge = !other.bringsWhole && this.#options.patterns.isLarge(key);
      if (isLarge) return this.read(fetcher, command);
      this.#options.counters.joins += 1;
      return other.join(arrival);
    }
    const flight = new NeedleFlight(this.#options.arrive(), key, cookie, bringsWhole);
    volume.takeOff(flight);
    try {
      const fetched = await this.read(fetcher, command);
      volume.touchDown(flight);
      return this.#landed(volume, flight, fetched);
    } finally {
      // No reader may wait for ever, whatever went wrong.
      volume.touchDown(flight);
      flight.land(undefined);
    }
  }

  /** For one request alone. */
  async read(fetcher: NeedleFetcher, command: ReadCommand): Promise<FetchResult> {
    for (let round = 1; ; round += 1) {
      const shedsBefore = this.#sheds;
      const result = await fetcher.read(command);
      const isFull = result.kind === 'failed' && result.status === 'no_slab';
      if (!isFull || round > shedRounds || !this.#makeRoom(shedsBefore)) return result;
    }
  }

  /** False: it is not this side's arena that is full, or there is nothing to give back. */
  #makeRoom(shedsBefore: number): boolean {
    // Others were refused at the same time, and one of them made room.
    if (this.#sheds !== shedsBefore) return true;
    const refusals = this.#options.arenaRefusals?.();
    if (refusals === undefined || refusals.count === this.#refusalsSeen) return false;
    this.#refusalsSeen = refusals.count;
    // Twice, since what is given back lies here and there.
    const isShed = this.#options.shed(refusals.lastBytes * 2);
    if (isShed) this.#sheds += 1;
    return isShed;
  }

  #landed(volume: CachedVolume, flight: NeedleFlight, fetched: FetchResult): Fetched {
    const { key } = flight;
    if (fetched.kind === 'failed') {
      flight.land(() => ({ ...fetched, isShared: true }));
      return fetched;
    }
    const { needle, data } = fetched;
    if (data === undefined || data.view.length !== needle.dataBytes) {
      this.#options.patterns.noteSize(key, needle.dataBytes);
      // Too large to be brought: so it is for every reader that asked for all of it.
      flight.land(flight.bringsWhole && data === undefined ? () => fetched : undefined);
      return fetched;
    }
    const kept = data.lease.keep(data.view);
    const lend = (): NeedleData => ({ offset: 0, ...kept.lend() });
    const own = lend();
    flight.land(() => ({ kind: 'needle', needle, data: lend(), isShared: true }));
    const isStored = this.#options.offer(volume, flight, needle, kept);
    if (!isStored) {
      kept.release();
      if (this.#options.patterns.isLarge(key)) this.#options.patterns.giveUp(key);
    }
    return { kind: 'needle', needle, data: own, isStored };
  }
}
