/**
 * Volumes that their volume server answers for and no target serves: one that was just created, or one that its target
 * misses. The first answers are hints for the targets to look at once; a volume that stays unannounced shows in /health.
 */

import { needlePathOf } from '../../needle/request/needle-path.ts';
import type { RequestObserver, RequestRecord } from '../../needle/request-record.ts';
import type { UnannouncedStatus } from './fleet-status.ts';
import type { TargetDirectory } from './target-directory.ts';

/** Hints leave together, at most this often. */
export const hintsPerSecondMax = 10;
/** A target polls its volume server each second anyway: after a few hints for a volume, more would change nothing. */
export const hintsPerVolumeMax = 3;
/** A volume that is not served this long is no longer a new one. */
export const unannouncedGraceMs = 10_000;
/** Without a read for this long a volume is forgotten. */
export const unannouncedMsMax = 60_000;
const volumesMax = 1024;
const waitingMax = 64;
const idsShownMax = 20;

export interface UnannouncedVolumesOptions {
  /** A target announces it, confirmed by its volume server. */
  readonly isServed: (volumeId: number) => boolean;
  /** Lists of the volume servers; a volume of no list is not a target's to announce. */
  readonly lists: {
    readonly has: (volumeId: number) => boolean;
    /** Called often while it matters. */
    readonly refresh: () => void;
  };
  /** Asks the targets to look for these. */
  readonly hint: (volumeIds: readonly number[]) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Unannounced {
  seenAt: number;
  /** undefined: only written to. */
  firstReadAt: number | undefined;
  reads: number;
  hints: number;
}

export class UnannouncedVolumes {
  readonly #options: UnannouncedVolumesOptions;
  readonly #now: () => number;
  readonly #volumes = new Map<number, Unannounced>();
  readonly #waiting = new Set<number>();
  #pause: NodeJS.Timeout | undefined;

  constructor(options: UnannouncedVolumesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Called for each finished request that was not answered here. */
  readonly observe: RequestObserver = (record) => {
    if (!isTelling(record)) return;
    // A client may ask for a volume that does not exist: the volume server's answer decides.
    const statusLine = record.answerHead.slice(0, 'HTTP/1.1 200'.length).toString();
    if (!/^HTTP\/1\.[01] (2..|304)$/.test(statusLine)) return;
    const volumeId = needlePathOf(record.request.target)?.volumeId;
    if (volumeId !== undefined) this.answered(volumeId, record.reason === 'unknown-volume');
  };

  /** The volume server has answered: the volume is there. `isUnknown`: it was read, and no target announced it. */
  answered(volumeId: number, isUnknown: boolean): void {
    if (this.#options.isServed(volumeId)) {
      this.#volumes.delete(volumeId);
      return;
    }
    const now = this.#now();
    const volume = this.#volumeOf(volumeId, now);
    volume.seenAt = now;
    if (isUnknown) {
      volume.firstReadAt ??= now;
      volume.reads += 1;
      if (isOverdue(volume, now)) this.#options.lists.refresh();
    }
    if (volume.hints >= hintsPerVolumeMax) return;
    volume.hints += 1;
    if (this.#waiting.size < waitingMax) this.#waiting.add(volumeId);
    if (this.#pause === undefined) this.#send();
  }

  snapshot(): UnannouncedStatus {
    const now = this.#now();
    const ids: number[] = [];
    let reads = 0;
    for (const [volumeId, volume] of this.#volumes) {
      const isOver = now - volume.seenAt > unannouncedMsMax || this.#options.isServed(volumeId);
      if (isOver) this.#volumes.delete(volumeId);
      else if (isOverdue(volume, now) && this.#options.lists.has(volumeId)) {
        ids.push(volumeId);
        reads += volume.reads;
      }
    }
    ids.sort((a, b) => a - b);
    return { count: ids.length, first: ids.slice(0, idsShownMax), reads };
  }

  close(): void {
    clearTimeout(this.#pause);
    this.#waiting.clear();
  }

  #volumeOf(volumeId: number, now: number): Unannounced {
    const known = this.#volumes.get(volumeId);
    if (known !== undefined && now - known.seenAt <= unannouncedMsMax) return known;
    this.#volumes.delete(volumeId);
    if (this.#volumes.size >= volumesMax) {
      const oldest = this.#volumes.keys().next();
      if (!oldest.done) this.#volumes.delete(oldest.value);
    }
    const volume = { seenAt: now, firstReadAt: undefined, reads: 0, hints: 0 };
    this.#volumes.set(volumeId, volume);
    return volume;
  }

  #send(): void {
    this.#pause = undefined;
    if (this.#waiting.size === 0) return;
    this.#options.hint([...this.#waiting]);
    this.#waiting.clear();
    this.#pause = setTimeout(() => this.#send(), 1000 / hintsPerSecondMax).unref();
  }
}

/** True for a forwarded request whose answer may prove that the volume server has a volume. */
function isTelling({ outcome, reason, request: { method } }: RequestRecord): boolean {
  if (outcome !== 'passthrough') return false;
  // A write that succeeded is the earliest sign of a new volume.
  if (reason === 'method') return method === 'POST' || method === 'PUT';
  return reason === 'unknown-volume' || reason === 'volume-unconfirmed';
}

function isOverdue({ firstReadAt }: Unannounced, now: number): boolean {
  return firstReadAt !== undefined && now - firstReadAt >= unannouncedGraceMs;
}

/**
 * Validating a volume that a target does not serve makes it look (docs/protocol.md). The answer tells nothing: a target
 * that finds the volume announces it. Asked are the targets beside the servers that have it; all where none is known.
 */
export function askToLook(
  directory: TargetDirectory,
  volumeIds: readonly number[],
  timeoutMs: number,
): void {
  for (const { fetcher, upstreamUrl } of directory.entries) {
    if (fetcher?.state.kind !== 'up') continue;
    const own = volumeIds.filter((volumeId) => {
      const holders = directory.find(volumeId);
      return holders.length === 0 || holders.some(({ entry }) => entry.upstreamUrl === upstreamUrl);
    });
    const items = own.map((volumeId) => ({ volumeId, epoch: 0n, position: 0n }));
    if (items.length > 0) void fetcher.validate(items, timeoutMs);
  }
}
