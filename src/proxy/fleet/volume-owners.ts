/**
 * Finds out which of several volume servers has a volume, from the servers' own pages: `GET /status` of all of them at
 * the start, then rarely, and at once when a volume is asked for whose server is unknown. Erasure coded volumes stand
 * in `/ui/index.html` alone, which is asked last.
 */
import { ecVolumes } from '../../volume-server/ec-volumes.ts';
import { type StatusBody, servedVolumes } from '../../volume-server/served-volumes.ts';
import { PagePoll } from './page-poll.ts';
import type { TargetDirectory, TargetEntry } from './target-directory.ts';

export interface VolumeOwnersOptions {
  /** How often a list is asked for without cause. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How long a request waits for the answers. */
  readonly waitMsMax: number;
  /** Between two questions to one server for its list. */
  readonly gapMsMin: number;
  /** A volume that no server has is not asked for again so long. */
  readonly unknownMs: number;
}

export const volumeOwnersDefaults: VolumeOwnersOptions = {
  intervalMs: 30_000,
  timeoutMs: 2_000,
  waitMsMax: 2_000,
  gapMsMin: 100,
  unknownMs: 1_000,
};

/** How old the list of erasure coded volumes may be: its page is large, and shards move rarely. */
const shardsMsMax = 10_000;
/** An answer of 404 makes a list that is older than this be asked for again. */
const doubtfulMs = 2_000;
const unknownCountMax = 1_024;

interface ServerPages {
  readonly entry: TargetEntry;
  readonly list: PagePoll<StatusBody>;
  readonly shards: PagePoll<ReadonlySet<number>>;
}

export class VolumeOwners {
  readonly #directory: TargetDirectory;
  readonly #options: VolumeOwnersOptions;
  readonly #pages: readonly ServerPages[];
  /** Volume id → when it may be asked for again. */
  readonly #unknown = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  /** Resolves when each server has said for the first time what it has, or could not. */
  readonly first: Promise<unknown>;

  constructor(directory: TargetDirectory, options: VolumeOwnersOptions = volumeOwnersDefaults) {
    this.#directory = directory;
    this.#options = options;
    this.#pages = directory.entries.map((entry) => this.#pagesOf(entry));
    this.#timer = setInterval(() => this.refresh(), options.intervalMs).unref();
    this.first = Promise.all(this.#pages.map(({ list }) => list.ask()));
  }

  /** Asks every server for its list. */
  refresh(): void {
    for (const pages of this.#pages) refreshed(pages, 0);
  }

  /** A server has answered that it has not what it should have: perhaps the volume has moved. */
  doubt(): void {
    for (const pages of this.#pages) refreshed(pages, doubtfulMs);
  }

  /** Calls `decided` once: when a server is known to have the volume, when all have said what they have, or in time. */
  ask(volumeId: number, decided: () => void): void {
    if (this.#isUnknown(volumeId)) {
      decided();
      return;
    }
    let isDecided = false;
    const decide = (): void => {
      if (isDecided) return;
      isDecided = true;
      clearTimeout(timer);
      decided();
    };
    const look = (): void => {
      if (this.#directory.find(volumeId).length > 0) decide();
    };
    const giveUp = (): void => {
      if (isDecided) return;
      this.#rememberUnknown(volumeId);
      decide();
    };
    const timer = setTimeout(giveUp, this.#options.waitMsMax);
    const askAll = (ask: (pages: ServerPages) => Promise<void>): Promise<unknown> =>
      Promise.all(this.#pages.map((pages) => ask(pages).then(look)));
    void askAll(({ list }) => list.ask())
      .then(() => (isDecided ? undefined : askAll(({ shards }) => shards.askIfOlder(shardsMsMax))))
      .then(giveUp);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { list, shards } of this.#pages) {
      list.close();
      shards.close();
    }
  }

  #pagesOf(entry: TargetEntry): ServerPages {
    const { timeoutMs, gapMsMin } = this.#options;
    return {
      entry,
      list: new PagePoll({
        url: new URL('/status', entry.upstreamUrl),
        timeoutMs,
        gapMsMin,
        read: servedVolumes,
        take: (status) => {
          if (status.kind === 'malformed') return;
          const volumes = new Set(status.volumes.map(({ volumeId }) => volumeId));
          this.#directory.listed(entry, volumes);
        },
      }),
      shards: new PagePoll({
        url: new URL('/ui/index.html', entry.upstreamUrl),
        timeoutMs,
        gapMsMin,
        read: ecVolumes,
        take: (volumes) => entry.owned.listShards(volumes),
      }),
    };
  }

  #isUnknown(volumeId: number): boolean {
    const until = this.#unknown.get(volumeId);
    return until !== undefined && performance.now() < until;
  }

  #rememberUnknown(volumeId: number): void {
    if (this.#unknown.size >= unknownCountMax) this.#unknown.clear();
    this.#unknown.set(volumeId, performance.now() + this.#options.unknownMs);
  }
}

function refreshed({ entry, list, shards }: ServerPages, ageMsMax: number): void {
  void list.askIfOlder(ageMsMax);
  if (entry.owned.hasShards) void shards.askIfOlder(ageMsMax);
}
