/**
 * How a forwarded request may end, on either way: the same failure has the same status, the same words and the same
 * accounting. Tells the corridor once whether there is an answer.
 */

import { endsUnanswered } from '../../needle/answer/unanswered.ts';
import type { Reason } from '../../needle/reasons.ts';
import { withDebugHeaders } from '../front/debug-headers.ts';
import type { Exchange } from '../front/exchange.ts';
import type { ForwardingOptions, PassthroughOutcome } from '../front/forwarder.ts';
import { refusalText } from '../front/refusal.ts';

/** The terms that all requests of one way share. */
export interface ForwardingTerms extends ForwardingOptions {
  readonly budget: RetryBudget;
}

/** Volume servers close idle connections after 30 s: one this young is not about to be closed. */
export const idleConnectionMs = 5_000;
export const idleConnectionsMax = 256;

export abstract class Forwarding {
  readonly exchange: Exchange;
  protected readonly outcome: PassthroughOutcome;
  protected readonly terms: ForwardingTerms;
  #isOver = false;
  #isSettled = false;
  /** A target was asked, too, and no answer has come yet. */
  #isRacing: boolean;
  #reason: Reason;
  protected wasRetried = false;

  constructor(exchange: Exchange, outcome: PassthroughOutcome, terms: ForwardingTerms) {
    this.exchange = exchange;
    this.outcome = outcome;
    this.terms = terms;
    this.#isRacing = outcome.race !== undefined;
    this.#reason = outcome.reason;
    terms.budget.earn();
  }

  get over(): boolean {
    return this.#isOver;
  }

  /** Sends it again, on a connection that carried nothing before. */
  protected abstract again(): void;

  /** Sending it twice changes nothing, and can be done: no byte of it was streamed. */
  get isRepeatable(): boolean {
    const { method } = this.exchange.request.head;
    return (method === 'GET' || method === 'HEAD') && !this.exchange.hasBody;
  }

  /** There is an answer: before its first byte goes to the client. */
  protected settle(isAnswered: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.outcome.settled?.(isAnswered);
  }

  /** False: the answer is not for the client. Its connection is then to be closed. */
  protected mayAnswer(status: number): boolean {
    if (!this.#isRacing) return true;
    const reason = this.outcome.race?.won(status);
    if (reason === undefined) {
      this.#leaveRace();
      return false;
    }
    this.#isRacing = false;
    this.#reason = reason;
    this.exchange.decide({ outcome: 'passthrough', reason, transport: 'none' });
    return true;
  }

  /** True: the target's answer is awaited, and what went wrong here is not the client's. */
  #leaveRace(): boolean {
    if (!this.#isRacing) return false;
    this.exchange.carrier = undefined;
    this.stop();
    return true;
  }

  protected debugged(head: string): string {
    const reason = this.#reason;
    if (!this.exchange.debugHeaders) return head;
    return withDebugHeaders(head, {
      source: `passthrough;reason=${reason}`,
      cacheStatus: `fwd=${reason === 'method' ? 'method' : 'bypass'}; detail=${reason}`,
      durationMs: this.exchange.durationMs,
    });
  }

  /** The connection broke before an answer began. `isUsed`: it had answered before. */
  protected lostConnection(isUsed: boolean): void {
    if (isUsed && this.mayBeSentAgain()) {
      this.again();
    } else if (endsUnanswered(this.exchange.request.head)) {
      this.cut();
    } else {
      this.#upstreamFailed(502, 'the volume server closed the connection', undefined);
    }
  }

  /** @param error in the system's words, with the address */
  protected noConnection(error: Error | undefined): void {
    this.#upstreamFailed(502, 'the volume server cannot be reached', error?.message);
  }

  protected noAnswerInTime(): void {
    this.#upstreamFailed(504, 'the volume server did not answer in time', undefined);
  }

  /** Whatever the request was passed for: it failed since the volume server does not answer. */
  #upstreamFailed(status: 502 | 504, text: string, detail: string | undefined): void {
    if (this.#isOver || this.#leaveRace()) return;
    const { upstreamUrl } = this.outcome;
    this.stop();
    this.exchange.error = `${text}: ${detail ?? upstreamUrl}`;
    this.exchange.refuse(status, 'upstream-down', refusalText(text));
  }

  protected noConnectionInTime(): void {
    this.refuse(504, 'no connection to the volume server is free');
  }

  /** Once for each request, and within the budget; true: it is counted as sent. */
  protected mayBeSentAgain(): boolean {
    if (this.wasRetried || !this.isRepeatable || !this.terms.budget.spend()) return false;
    this.wasRetried = true;
    this.terms.counters.retries += 1;
    return true;
  }

  /** The bytes that came may begin another answer, or are none: not one of them goes to the client. */
  protected noValidAnswer(): void {
    this.refuse(502, 'the volume server sent no valid answer');
  }

  /** After the first byte there is no way back. */
  protected cut(): void {
    if (this.#isOver || this.#leaveRace()) return;
    this.stop();
    this.exchange.decide({ outcome: 'error', reason: this.#reason, transport: 'none' });
    this.exchange.cut();
  }

  /** The answer is complete, or there will be none. */
  protected stop(): void {
    this.settle(false);
    this.leave();
    if (!this.#isRacing) return;
    this.#isRacing = false;
    this.outcome.race?.lost();
  }

  /** Nothing more is done for the request here; it may go on elsewhere. */
  protected leave(): void {
    this.#isOver = true;
  }

  protected refuse(status: 502 | 504, text: string): void {
    if (this.#isOver || this.#leaveRace()) return;
    this.stop();
    this.exchange.error = `${text}: ${this.outcome.upstreamUrl}`;
    this.exchange.refuse(status, this.#reason, refusalText(text));
  }
}

/** Lets at most one retry in five requests happen: a volume server that drops connections is not asked twice as much. */
export class RetryBudget {
  #tokens = firstTokens;

  /** One request was sent. */
  earn(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + share);
  }

  /** False: the budget is used up. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

const share = 0.2;
/** So that a restarted volume server costs no request of a quiet proxy. */
const firstTokens = 10;
const tokensMax = 100;
