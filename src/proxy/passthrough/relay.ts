/**
 * Carries requests that are passed to the volume server from the client's connection to the volume server's and back,
 * without an HTTP framework between them: the short way of what `HeaderBlock.isRelayable` allows.
 */

import type { Exchange } from '../front/exchange.ts';
import type { Forwarder, ForwardingOptions, PassthroughOutcome } from '../front/forwarder.ts';
import type { PoolStatus } from '../front/pool-status.ts';
import { type ForwardingTerms, RetryBudget } from './forwarding.ts';
import { RelayedRequest } from './relayed-request.ts';
import { UpstreamPools } from './upstream-pools.ts';

export class Relay implements Forwarder {
  readonly #terms: ForwardingTerms;
  readonly #pools: UpstreamPools;

  constructor(options: ForwardingOptions) {
    this.#terms = { ...options, budget: new RetryBudget() };
    this.#pools = new UpstreamPools(options.upstreamConnections);
  }

  forward(exchange: Exchange, outcome: PassthroughOutcome): void {
    this.#request(exchange, outcome).begin();
  }

  /** A request without a body that was forwarded before, and whose answer another could not read. */
  forwardAgain(exchange: Exchange, outcome: PassthroughOutcome): void {
    this.#request(exchange, outcome).beginAgain();
  }

  #request(exchange: Exchange, outcome: PassthroughOutcome): RelayedRequest {
    const pool = this.#pools.poolOf(outcome.upstreamUrl);
    return new RelayedRequest(exchange, outcome, this.#terms, pool);
  }

  get pools(): readonly PoolStatus[] {
    return this.#pools.statuses;
  }

  close(): void {
    this.#pools.close();
  }
}
