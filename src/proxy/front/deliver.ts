/**
 * Where an outcome goes: the same three ways out for the lane and for the framework. Too much in hand is an outcome, too,
 * and the corridor is not asked then.
 */

import type { RequestHead } from '../../http1/request-head.ts';
import type { NeedleOutcome, NeedleRoute } from '../../needle/needle-outcome.ts';
import type { Exchange } from './exchange.ts';
import type { FrontCounters } from './front-counters.ts';
import type { FrontLimits } from './limits.ts';
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

interface Load {
  readonly limits: FrontLimits;
  readonly counters: Readonly<FrontCounters>;
  readonly route: NeedleRoute;
}

/** Decides about a request when too much is in hand already; undefined: the corridor decides. */
export function overload(
  { method, target }: RequestHead,
  { limits, counters, route }: Load,
): NeedleOutcome | undefined {
  if (counters.requestsInFlight > limits.requestsInFlight * 2) {
    return { kind: 'error', status: 503, reason: 'overload' };
  }
  // Requests that are no reads are forwarded in any case, and the corridor must see them.
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const tooMany = counters.requestsInFlight > limits.requestsInFlight;
  const bytesInFlight = counters.bytesInFlight + (route.decodingBytes ?? 0);
  if (!tooMany && bytesInFlight <= limits.bytesInFlight) return undefined;
  return { kind: 'passthrough', reason: 'overload', upstreamUrl: route.upstreamFor(target) };
}
