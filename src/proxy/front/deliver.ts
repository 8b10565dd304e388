/** Where an outcome of the corridor goes: the same three ways out for the lane and for the framework. */
import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Exchange } from './exchange.ts';
import { type NeedleSendOptions, sendNeedle } from './needle-send.ts';
import { refusalText } from './refusal.ts';

export type PassthroughOutcome = Extract<NeedleOutcome, { kind: 'passthrough' }>;

/** Takes a request that can still be answered to the volume server, and its answer to the exchange; never throws. */
export interface Forwarder {
  forward(exchange: Exchange, outcome: PassthroughOutcome): void;
}

export interface DeliverOptions extends NeedleSendOptions {
  /** An observer wants to know how long the corridor took. */
  readonly isTimed: boolean;
}

export function deliver(
  exchange: Exchange,
  outcome: NeedleOutcome,
  options: DeliverOptions,
  forwarder: Forwarder,
): void {
  if (options.isTimed) exchange.decidedMs = exchange.durationMs;
  switch (outcome.kind) {
    case 'answer':
      sendNeedle(exchange, outcome, options);
      return;
    case 'error':
      exchange.refuse(outcome.status, outcome.reason, refusalText(outcome.reason));
      return;
    case 'passthrough':
      exchange.decide({ outcome: 'passthrough', reason: outcome.reason, transport: 'none' });
      if (exchange.over) outcome.settled?.(false);
      else forwarder.forward(exchange, outcome);
  }
}
