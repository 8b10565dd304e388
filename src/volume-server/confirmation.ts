/**
 * Asks the volume server `GET /status` at every interval: a volume is served only while its server serves it
 * (docs/architecture.md, "Coherence"). The next poll begins one interval after the last one began, or when that one
 * ended if it took longer; earlier when a caller asks for it, because a volume was just created. Never throws; a failed
 * poll confirms nothing, and what was confirmed runs out by itself two intervals later.
 */
import { Agent } from 'node:http';
import type { ServedVolume } from '../rdma/target-host.ts';
import type { ConfirmationStatus } from './confirmation-status.ts';
import { fetchPage } from './fetch-page.ts';
import { type ServerList, servedVolumes } from './served-volumes.ts';

export interface ConfirmationOptions {
  readonly volumeServerUrl: string;
  readonly intervalMs: number;
  /** A poll that succeeded; `startedAgoMs` since before it was sent. */
  readonly onServed: (startedAgoMs: number, volumes: readonly ServedVolume[]) => void;
  /** The whole list of a poll that succeeded, after `onServed`. */
  readonly onListed?: (list: ServerList) => void;
  /** The first result, and then whenever polls begin to fail, to fail otherwise, or to succeed again. */
  readonly onChange: (change: { readonly isOk: boolean; readonly detail: string }) => void;
  /** After each poll, whatever came of it: for what else wants to be looked at that often. */
  readonly onPolled?: () => void;
}

export interface Confirmation {
  /** Resolves when the first poll has ended, whatever came of it. */
  readonly first: Promise<void>;
  snapshot(): ConfirmationStatus;
  /** A poll that begins after this call: at once, or when asksPerSecondMax allows it. */
  pollSoon(): void;
  /** No poll begins afterwards, and none under way reports. Idempotent. */
  close(): void;
}

/** Polls begin at most this often, however many ask for one: what strangers write to must not keep the server busy. */
export const asksPerSecondMax = 10;
const timeoutMsMin = 250;

export function startConfirmation(options: ConfirmationOptions): Confirmation {
  return new Poller(options);
}

class Poller implements Confirmation {
  readonly first: Promise<void>;
  readonly #options: ConfirmationOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #startedAt = Number.NEGATIVE_INFINITY;
  #isPolling = false;
  #isAsked = false;
  #successes = 0;
  #failures = 0;
  #succeededAt: number | undefined;
  /** undefined before the first result. */
  #failure: string | undefined;

  constructor(options: ConfirmationOptions) {
    this.#options = options;
    this.first = this.#poll();
  }

  snapshot(): ConfirmationStatus {
    return {
      url: this.#options.volumeServerUrl,
      isOk: this.#failure === '',
      successes: this.#successes,
      failures: this.#failures,
      ageMs: this.#succeededAt === undefined ? undefined : performance.now() - this.#succeededAt,
      failure: this.#failure ?? '',
    };
  }

  pollSoon(): void {
    if (this.#isClosed || this.#isAsked) return;
    this.#isAsked = true;
    if (!this.#isPolling) this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#agent.destroy();
  }

  async #poll(): Promise<void> {
    const { volumeServerUrl, intervalMs } = this.#options;
    const startedAt = performance.now();
    this.#startedAt = startedAt;
    this.#isPolling = true;
    this.#isAsked = false;
    // Later than two intervals after its start a poll confirms nothing any more.
    const timeoutMs = Math.max(2 * intervalMs, timeoutMsMin);
    try {
      const body = await fetchPage(new URL('/status', volumeServerUrl), this.#agent, timeoutMs);
      await this.#finish(startedAt, body);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    this.#isPolling = false;
    if (this.#isClosed) return;
    this.#options.onPolled?.();
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const { intervalMs } = this.#options;
    const spacingMs = this.#isAsked ? Math.min(intervalMs, 1000 / asksPerSecondMax) : intervalMs;
    const waitMs = this.#startedAt + spacingMs - performance.now();
    if (this.#isAsked && waitMs <= 0) void this.#poll();
    else this.#timer = setTimeout(() => void this.#poll(), Math.max(0, waitMs));
  }

  async #finish(startedAt: number, body: Buffer): Promise<void> {
    const status = await servedVolumes(body);
    if (this.#isClosed) return;
    if (status.kind === 'malformed') {
      this.#fail(`the answer to GET /status is not understood: ${status.detail}`);
      return;
    }
    this.#successes += 1;
    this.#succeededAt = startedAt;
    this.#options.onServed(performance.now() - startedAt, status.volumes);
    this.#options.onListed?.(status);
    this.#change('', `the volume server lists ${status.volumes.length} volumes`);
  }

  #fail(failure: string): void {
    if (this.#isClosed) return;
    this.#failures += 1;
    this.#change(failure, failure);
  }

  #change(failure: string, detail: string): void {
    if (this.#failure === failure) return;
    this.#failure = failure;
    this.#options.onChange({ isOk: failure === '', detail });
  }
}
