/**
 * The volumes that volume servers list as their own, asked only on demand: a volume that no target announces may be
 * erasure coded, tiered or at another server, and then nothing is wrong.
 */
import { type StatusBody, servedVolumes } from '../../volume-server/served-volumes.ts';
import { PagePoll } from './page-poll.ts';

const askedAgainAfterMs = 30_000;
const timeoutMs = 5_000;
const gapMsMin = 1_000;

export class ServerLists {
  /** Lists by URL; a server's last list is kept when it does not answer. */
  readonly #lists = new Map<string, ReadonlySet<number>>();
  readonly #polls: readonly PagePoll<StatusBody>[];

  constructor(urls: readonly string[]) {
    this.#polls = urls.map((base) => {
      const url = new URL('/status', base);
      const take = (status: StatusBody): void => this.#take(base, status);
      return new PagePoll({ url, timeoutMs, gapMsMin, read: servedVolumes, take });
    });
  }

  /** Answers from the last lists; false before the first. */
  has(volumeId: number): boolean {
    for (const list of this.#lists.values()) if (list.has(volumeId)) return true;
    return false;
  }

  /** Asks every server that was not asked a moment ago. */
  refresh(): void {
    for (const poll of this.#polls) void poll.askIfOlder(askedAgainAfterMs);
  }

  close(): void {
    for (const poll of this.#polls) poll.close();
  }

  #take(url: string, status: StatusBody): void {
    if (status.kind === 'malformed') return;
    const own = status.volumes.filter(({ isTiered }) => !isTiered);
    this.#lists.set(url, new Set(own.map(({ volumeId }) => volumeId)));
  }
}
