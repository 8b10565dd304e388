/** READs: one for all who want the same needle, of which a copy is kept where it is worth it. */
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
  /** A copy; undefined: there is no room. */
  readonly keep: (view: Buffer) => KeptBytes | undefined;
  /** False: there is nothing to give back. */
  readonly shed: (bytes: number) => boolean;
}

/** Where there is no room in one piece, as much is given back so often: what goes lies here and there. */
const shedRounds = 3;

export class NeedleReads {
  readonly #options: NeedleReadsOptions;

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
    if (command.metadataOnly) return fetcher.read(command);
    const { cookie } = command;
    const key = volume.keyOf(command.needleId);
    const bringsWhole = command.wholeBytesMax >= command.budgetBytes;
    const other = volume.flightsOf(key).find((flight) => flight.mayServe(cookie, bringsWhole));
    if (other !== undefined) {
      const isLarge = !other.bringsWhole && this.#options.patterns.isLarge(key);
      if (isLarge) return fetcher.read(command);
      this.#options.counters.joins += 1;
      return other.join(arrival);
    }
    const flight = new NeedleFlight(this.#options.arrive(), key, cookie, bringsWhole);
    volume.takeOff(flight);
    try {
      const fetched = await fetcher.read(command);
      volume.touchDown(flight);
      return this.#landed(volume, flight, fetched);
    } finally {
      // No reader may wait for ever, whatever went wrong.
      volume.touchDown(flight);
      flight.land(undefined);
    }
  }

  #keep(view: Buffer): KeptBytes | undefined {
    for (let round = 1; ; round += 1) {
      const kept = this.#options.keep(view);
      if (kept !== undefined || round > shedRounds) return kept;
      if (!this.#options.shed(view.length * 2)) return undefined;
    }
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
    const share = (): NeedleData => ({ ...data, lease: data.lease.share() });
    flight.land(() => ({ kind: 'needle', needle, data: share(), isShared: true }));
    const kept = this.#keep(data.view);
    const isStored = kept !== undefined && this.#options.offer(volume, flight, needle, kept);
    if (!isStored) {
      kept?.release();
      if (this.#options.patterns.isLarge(key)) this.#options.patterns.giveUp(key);
    }
    return { kind: 'needle', needle, data, isStored };
  }
}
