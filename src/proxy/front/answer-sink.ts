/** The two neighbours of an exchange: the client connection that it writes to, and the carrier that streams for it. */
import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { ClientEnd } from '../../needle/outcome.ts';
import type { SendPace } from './send-pace.ts';

/** The client connection, as an exchange (`E`) sees it. */
export interface AnswerSink<E> {
  readonly client: ClientEnd;
  /** The answer's head says who gave it. */
  readonly debugHeaders: boolean;
  /** Sent, and not taken by the kernel yet. */
  readonly unsentBytes: number;
  /** Bytes of the request's body that `takeBody` has not given yet. */
  readonly bodyLeftBytes: number;
  /** The forwarder of the request has all of its body. */
  readonly bodyDone: boolean;
  /** Takes the bytes that came of the request's body, and not one more; undefined: there are none. */
  takeBody(): Buffer | undefined;
  /** False: no more of the request's body is wanted for now. */
  setReading(reading: boolean): void;
  /** False: wait for `onDrain`. `flushed` is called once: when the bytes have left, or never will. */
  send(bytes: Buffer | string, flushed?: () => void): boolean;
  /** Like send without a callback, which costs a tick; true: the kernel has taken everything that was sent so far. */
  sendAtOnce(bytes: Buffer): boolean;
  /** Like sendAtOnce, for two buffers in one write. */
  sendBothAtOnce(first: Buffer, second: Buffer): boolean;
  /** How much the client takes in one write. */
  readonly pace: SendPace;
  /** Holds back what is sent until `uncork`, so that a head leaves with its body's first bytes. */
  cork(): void;
  uncork(): void;
  /** The handler has the request: its body may follow. */
  begun(): void;
  /** The answer is complete. */
  finished(exchange: E, reusable: boolean): void;
  /** Closes without another byte, after the bytes that were sent; the client cannot take them for a whole answer. */
  cut(exchange: E): void;
  /** The corridor has decided about the request. */
  received(exchange: E, outcome: NeedleOutcome): void;
  /** The corridor broke. */
  failed(exchange: E, error: unknown): void;
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
