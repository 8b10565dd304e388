/**
 * Asks a volume server for one page, one question at a time. A caller that asks while a question is under way gets the
 * next one: the answer under way may be older than the call. How often it asks is bounded by time and by what reading
 * an answer costs.
 */
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fetchPage } from '../../volume-server/fetch-page.ts';

export interface PagePollOptions<Page> {
  readonly url: URL;
  readonly timeoutMs: number;
  /** Between the end of a question and the begin of the next. */
  readonly gapMsMin: number;
  /** Understands the answer, in steps if it is long. */
  readonly read: (body: Buffer) => Promise<Page>;
  /** Takes what was read; not called after `close`. */
  readonly take: (page: Page) => void;
}

/** Reading answers takes at most this share of the time while questions come all the time. */
const readingShareMax = 0.05;

export class PagePoll<Page> {
  readonly #options: PagePollOptions<Page>;
  /** Questions are rare: a connection that idles meanwhile would be closed under the next question. */
  readonly #agent = new Agent({ keepAlive: false, maxSockets: 1 });
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #mayBeginAt = Number.NEGATIVE_INFINITY;
  #begunAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: PagePollOptions<Page>) {
    this.#options = options;
  }

  /** Since the begin of the last question. */
  get ageMs(): number {
    return performance.now() - this.#begunAt;
  }

  /** Calls `ask`, unless the last question began at most `ageMsMax` ago: then with that one's end. */
  askIfOlder(ageMsMax: number): Promise<void> {
    return this.ageMs > ageMsMax ? this.ask() : (this.#running ?? Promise.resolve());
  }

  /** Resolves when a question has ended that began after this call, whatever came of it. */
  ask(): Promise<void> {
    this.#queued ??= this.#queue();
    return this.#queued;
  }

  close(): void {
    this.#isClosed = true;
    this.#agent.destroy();
  }

  async #queue(): Promise<void> {
    await this.#running;
    const waitMs = this.#mayBeginAt - performance.now();
    if (waitMs > 0) await pause(waitMs, undefined, { ref: false });
    this.#queued = undefined;
    if (this.#isClosed) return;
    this.#running = this.#fetch();
    await this.#running;
  }

  async #fetch(): Promise<void> {
    const { url, timeoutMs, gapMsMin, read, take } = this.#options;
    this.#begunAt = performance.now();
    let readingMs = 0;
    try {
      const body = await fetchPage(url, this.#agent, timeoutMs);
      const readAt = performance.now();
      const page = await read(body);
      if (!this.#isClosed) take(page);
      readingMs = performance.now() - readAt;
    } catch {
      // The probe tells in the log that the server does not answer; what was known of it stays.
    }
    this.#mayBeginAt = performance.now() + Math.max(gapMsMin, readingMs / readingShareMax);
  }
}
