/**
 * Looks at the connections to this process's UCX ports every so often. UCX waits for what a peer says without end, so a
 * peer that says nothing would keep its place for good.
 */
import type { ConnectionsStatus } from './connections-status.ts';
import type { NativeConnectionCounts } from './native-types.ts';

export type ConnectionCounts = NativeConnectionCounts;

export interface ConnectionWatchOptions {
  readonly handshakeTimeoutMs: number;
  /** RLIMIT_NOFILE. */
  readonly descriptorsMax: number;
  /** Ends what has waited for too long. undefined: there is nothing to look at. */
  readonly look: () => ConnectionCounts | Promise<ConnectionCounts> | undefined;
  /** Connections were ended. */
  readonly onEnded: (ended: number, waiting: number) => void;
}

const everyMsMax = 1_000;
/** A look takes some microseconds for each descriptor of the process: at most this share of a core. */
const looksShareMax = 0.005;

export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #counts: Omit<ConnectionCounts, 'lookCpuMs'> = {
    waiting: 0,
    ended: 0,
    descriptors: 0,
    lostPorts: 0,
  };
  #isClosed = false;

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
    this.#everyMs = Math.min(everyMsMax, Math.max(10, options.handshakeTimeoutMs / 4));
    this.#lookAfter(this.#everyMs);
  }

  snapshot(): ConnectionsStatus {
    return { ...this.#counts, descriptorsMax: this.#options.descriptorsMax };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #lookAfter(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    const look = await this.#options.look();
    if (look === undefined || this.#isClosed) return;
    const { lookCpuMs, ...counts } = look;
    const { ended } = this.#counts;
    this.#counts = counts;
    if (counts.ended > ended) this.#options.onEnded(counts.ended - ended, counts.waiting);
    this.#lookAfter(Math.max(this.#everyMs, lookCpuMs / looksShareMax));
  }
}
