/** Forwarding, as the front sees it. */
import type { AnswerPace } from '../../connections/answer-pace.ts';
import type { PassthroughOutcome } from '../../needle/needle-outcome.ts';
import type { Exchange } from './exchange.ts';
import type { PoolStatus } from './pool-status.ts';

export type { PassthroughOutcome };

/** Takes a request that can still be answered to the volume server, and its answer to the exchange; never throws. */
export interface Forwarder {
  forward(exchange: Exchange, outcome: PassthroughOutcome): void;
}

/** The ways to the volume server. */
export interface Forwarders {
  /** Forwards requests that the lane reads. */
  readonly relay: Forwarder;
  /** Forwards requests that the framework has. */
  readonly passthrough: Forwarder;
  readonly pools: readonly PoolStatus[];
  close(): void;
}

export interface ForwardingOptions {
  readonly connectTimeoutMs: number;
  /** Without a byte from the volume server: 504 before the answer, a cut connection after its start. */
  readonly answerTimeoutMs: number;
  /** Per volume server; more wait for a free one. */
  readonly upstreamConnections: number;
  readonly pace: AnswerPace;
  readonly counters: {
    /** Requests sent once more. */
    retries: number;
  };
}
