/**
 * The neighbours of an exchange: the client connection that owns it, the front that serves it, and the carrier that streams
 * for it.
 */
import type { Socket } from 'node:net';
import type { InputBuffer } from '../../http1/request-framer.ts';
import type { NeedleOutcome, PassthroughOutcome } from '../../needle/needle-outcome.ts';
import type { ClientEnd, RequestObserver, RequestRecord } from '../../needle/request-record.ts';
import type { SendPace } from './send-pace.ts';

/** The side that answered, or whose failure it was. */
export type AnswerSource = Pick<RequestRecord, 'outcome' | 'reason' | 'transport'>;

/** The client connection, as an exchange (`E`) sees it. */
export interface ExchangeOwner<E> {
  readonly client: ClientEnd;
  /** Answers are written to it. */
  readonly socket: Socket;
  /** How much the client takes in one write. */
  readonly pace: SendPace;
  /** Bytes of the client that no handler has taken yet. */
  readonly unread: InputBuffer;
  /** The forwarder of the request has all of its body. */
  readonly bodyDone: boolean;
  /** False: no more of the request's body is wanted for now. */
  setReading(reading: boolean): void;
  /** The corridor has decided about the request. */
  received(exchange: E, outcome: NeedleOutcome): void;
  /** The corridor wants the volume server asked while it goes on. False: it cannot be. */
  hedge(exchange: E, outcome: PassthroughOutcome): boolean;
  /** The handler has the request: its body may follow. */
  begun(): void;
  /** The answer is complete. */
  finished(exchange: E, reusable: boolean): void;
  /** Closes without another byte, after the bytes that were sent; the client cannot take them for a whole answer. */
  cut(exchange: E): void;
  /** Gives the connection, with this request unanswered, to the volume server raw. */
  becomeRaw(exchange: E, upstreamUrl: string): void;
}

/** Streams a request's body and its answer without the framework. */
export interface Carrier {
  /** More of the request's body is there. */
  bodyCame(): void;
  /** The client can take more of the answer. */
  drained(): void;
  /** The client is gone before the answer was complete. */
  gone(): void;
}

/** The front's part in each exchange. */
export interface ExchangeHost {
  /** Each is called once for each request that is over. */
  readonly observers: readonly RequestObserver[];
  /** Answers' heads say who gave them; those to this process itself always do. */
  readonly debugHeaders: boolean;
  /** Something threw that must not. */
  bug(error: unknown): void;
}
