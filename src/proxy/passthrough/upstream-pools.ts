/** The connections to all volume servers of one user: a pool for each, and one timer for all of them. */
import type { PoolStatus } from '../front/pool-status.ts';
import { tickMs, UpstreamPool } from './upstream-pool.ts';

export class UpstreamPools {
  readonly #connectionsMax: number;
  readonly #pools = new Map<string, UpstreamPool>();
  /** Only while there are connections. */
  #ticker: NodeJS.Timeout | undefined;

  /** @param connectionsMax to each volume server */
  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
  }

  get statuses(): readonly PoolStatus[] {
    return [...this.#pools.values()].map((pool) => pool.status);
  }

  /** For a request that takes a connection now. */
  poolOf(upstreamUrl: string): UpstreamPool {
    this.#ticker ??= setInterval(this.#tick, tickMs).unref();
    let pool = this.#pools.get(upstreamUrl);
    if (pool === undefined) {
      pool = new UpstreamPool(upstreamUrl, this.#connectionsMax);
      this.#pools.set(upstreamUrl, pool);
    }
    return pool;
  }

  close(): void {
    clearInterval(this.#ticker);
    for (const pool of this.#pools.values()) pool.close();
  }

  readonly #tick = (): void => {
    let isEmpty = true;
    for (const pool of this.#pools.values()) {
      pool.tick();
      isEmpty &&= pool.isEmpty;
    }
    if (!isEmpty) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  };
}
