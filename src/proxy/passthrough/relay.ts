/**
 * Carries requests that are passed to the volume server from the client's connection to the volume server's and back,
 * without an HTTP framework between them: the short way of what `HeaderBlock.isRelayable` allows.
 */

import type { Exchange } from '../front/exchange.ts';
import type { Forwarder, ForwardingOptions, PassthroughOutcome } from '../front/forwarder.ts';
import type { PoolStatus } from '../front/pool-status.ts';
import { type ForwardingTerms, RetryBudget } from './forwarding.ts';
import { RelayedRequest } from './relayed-request.ts';
import { tickMs, UpstreamPool } from './upstream-pool.ts';

export class Relay implements Forwarder {
  readonly #terms: ForwardingTerms;
  readonly #pools = new Map<string, UpstreamPool>();
  /** Only while there are connections. */
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: ForwardingOptions) {
    this.#terms = { ...options, budget: new RetryBudget() };
  }

  forward(exchange: Exchange, outcome: PassthroughOutcome): void {
    this.#request(exchange, outcome).begin();
  }

  /** A request without a body that was forwarded before, and whose answer another could not read. */
  forwardAgain(exchange: Exchange, outcome: PassthroughOutcome): void {
    this.#request(exchange, outcome).beginAgain();
  }

  #request(exchange: Exchange, outcome: PassthroughOutcome): RelayedRequest {
    const pool = this.#poolOf(outcome.upstreamUrl);
    this.#ticker ??= setInterval(this.#tick, tickMs).unref();
    return new RelayedRequest(exchange, outcome, this.#terms, pool);
  }

  get pools(): readonly PoolStatus[] {
    return [...this.#pools.values()].map((pool) => pool.status);
  }

  close(): void {
    clearInterval(this.#ticker);
    for (const pool of this.#pools.values()) pool.close();
  }

  #poolOf(upstreamUrl: string): UpstreamPool {
    let pool = this.#pools.get(upstreamUrl);
    if (pool === undefined) {
      pool = new UpstreamPool(upstreamUrl, this.#terms.upstreamConnections);
      this.#pools.set(upstreamUrl, pool);
    }
    return pool;
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
