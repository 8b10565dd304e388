/**
 * Looks at the connections to the target's UCX ports every so often. UCX waits for what a peer says without end, so
 * whoever says nothing would keep its place for good.
 */
import type { ConnectionsStatus } from '../proxy/admin/status.ts';
import type { ConnectionCounts } from '../rdma/target-host.ts';

export interface ConnectionWatchOptions {
  readonly handshakeTimeoutMs: number;
  /** RLIMIT_NOFILE. */
  readonly descriptorsMax: number;
  /** Ends what has waited for too long. */
  readonly look: () => ConnectionCounts;
  /** Connections were ended. */
  readonly onEnded: (ended: number, waiting: number) => void;
}

const everyMsMax = 1_000;

export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #counts: ConnectionCounts = { waiting: 0, ended: 0, descriptors: 0, lostPorts: 0 };

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
    const everyMs = Math.min(everyMsMax, Math.max(10, options.handshakeTimeoutMs / 4));
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  snapshot(): ConnectionsStatus {
    return { ...this.#counts, descriptorsMax: this.#options.descriptorsMax };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const before = this.#counts;
    this.#counts = this.#options.look();
    const { ended, waiting } = this.#counts;
    if (ended > before.ended) this.#options.onEnded(ended - before.ended, waiting);
  }
}
