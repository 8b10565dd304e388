/**
 * The volumes that one volume server is known to have, by its own lists and by what its target announced last. Kept
 * when either goes away: a server that does not answer still has its volumes.
 */
import type { NeedleFetcher, TargetVolume } from '../../rdma/needle-fetcher.ts';

export class OwnedVolumes {
  #listed: ReadonlySet<number> = new Set();
  #shards: ReadonlySet<number> = new Set();
  /** Replaced as a whole by the fetcher, so that the last one can be kept. */
  #announced: ReadonlyMap<number, TargetVolume> = new Map();
  /** The server's own list is newer than what the target said before it went away. */
  #isAnnouncedOutdated = false;

  constructor(fetcher: NeedleFetcher | undefined) {
    if (fetcher === undefined) return;
    const look = (): void => {
      if (fetcher.volumes.size === 0) return;
      this.#announced = fetcher.volumes;
      this.#isAnnouncedOutdated = false;
    };
    fetcher.onChange(look);
    look();
  }

  has(volumeId: number): boolean {
    if (this.#listed.has(volumeId) || this.#shards.has(volumeId)) return true;
    return !this.#isAnnouncedOutdated && this.#announced.get(volumeId)?.confirmed === true;
  }

  get hasShards(): boolean {
    return this.#shards.size > 0;
  }

  /** The server's `/status`, whole. Returns the volumes that it had before and does not list any more. */
  list(volumes: ReadonlySet<number>): readonly number[] {
    const gone: number[] = [];
    for (const volumeId of this.#listed) if (!volumes.has(volumeId)) gone.push(volumeId);
    if (!this.#isAnnouncedOutdated) {
      for (const { volumeId, confirmed } of this.#announced.values()) {
        if (confirmed && !volumes.has(volumeId)) gone.push(volumeId);
      }
    }
    this.#listed = volumes;
    this.#isAnnouncedOutdated = true;
    return gone;
  }

  listShards(volumes: ReadonlySet<number>): void {
    this.#shards = volumes;
  }
}
