/** The corridor's result for one read: every expected way out is a value. */
import type { RequestHead } from '../http1/request-head.ts';
import type { Answer } from './answer/answer.ts';
import type { Reason } from './reasons.ts';
import type { BytesRead } from './request/bytes-read.ts';

export type NeedleOutcome =
  /** Write head and body, then call `release` once, when the last byte was flushed or the connection closed. */
  | {
      readonly kind: 'answer';
      readonly source: 'rdma' | 'cache';
      readonly transport: string;
      /** Session that brought the needle; 0n: none did. */
      readonly sessionId: bigint;
      readonly answer: Answer;
      /** The Cache-Status of the read (RFC 9211), without the cache's name. */
      readonly cacheStatus: string;
      /** The client asked for close: end the connection after the answer. */
      readonly close: boolean;
      release(): void;
      /** How lanes may give this answer to other requests; undefined: they may not. */
      readonly freshness?: Freshness | undefined;
      /**
       * Lets lanes give this answer to requests with this very head, as long as it is fresh. undefined: it is for this one
       * request. Absent: so it is for all of its kind. Before `release`.
       */
      publish?(head: RecallableHead): Published | undefined;
    }
  | {
      readonly kind: 'passthrough';
      readonly reason: Reason;
      /** The volume server to ask. */
      readonly upstreamUrl: string;
      /** Called with the upstream's status and raw headers (flat, wire order) as they arrive. */
      readonly observe?: (status: number, rawHeaders: readonly string[]) => void;
      /** Called once, before the answer's first byte is passed on, or (`isAnswered` false) when there will be none. */
      readonly settled?: (isAnswered: boolean) => void;
      /** Present: a target was asked as well, and the first answer goes to the client. */
      readonly race?: Race;
    }
  /** The proxy's own fault and no fallback allowed: 502, 503 or 504. */
  | { readonly kind: 'error'; readonly status: 502 | 503 | 504; readonly reason: Reason };

/** How lanes may give a published answer. asked: after a question to the target; granted: for a time without one. */
export type Freshness = 'asked' | 'granted';

/** known: it was published before, so that this head has come again. */
export type Published = 'added' | 'known';

/** A request's head by its bytes: the corridor decides the same about every request that has them. */
export interface RecallableHead {
  /** To the blank line. */
  readonly bytes: Buffer;
  /** Where the client's own id of the request stands, which may be any other; -1: there is none. */
  readonly holeAt: number;
  readonly holeEnd: number;
  readonly userAgent: string;
}

export type PassthroughOutcome = Extract<NeedleOutcome, { kind: 'passthrough' }>;

/** The volume server's side of a hedged read. */
export interface Race {
  /**
   * The volume server's answer begins. Returns the reason under which it goes to the client; undefined: it is an error that
   * the target's answer may spare the client.
   */
  won(status: number): Reason | undefined;
  /** No answer of the volume server will come: called at most once, and not after `won` returned a reason. */
  lost(): void;
}

/** The receiver of an outcome. */
export interface OutcomeReceiver {
  receive(outcome: NeedleOutcome): void;
  /** There is none: something threw that must not. */
  fail(error: unknown): void;
  /**
   * Forwards the request now, with `race`, while the read goes on. False: it cannot be. Absent: this receiver takes one
   * outcome alone.
   */
  hedge?(outcome: PassthroughOutcome): boolean;
}

/** The corridor as the HTTP side sees it. */
export interface NeedleRoute {
  /** Calls `receive` or `fail` once: at once where no server has to be asked; neither if a race was won. Never throws. */
  serve(head: RequestHead, hasBody: boolean, receiver: OutcomeReceiver): void;
  /** For what is not looked at (raw connections): the volume server for this request target, as far as it can be told. */
  upstreamFor(target: string): string;
  /** Bytes of decodes under way; they count as bytes in flight. */
  readonly decodingBytes?: number;
}

/** The corridor as the sidecar sees it. */
export interface BytesRoute {
  /** The bytes are the answer's body, its `totalBytes` the needle's size. Rejects only where something threw that must not. */
  read(read: BytesRead): Promise<NeedleOutcome>;
}

/** Returns the outcome as a promise, for callers off the hot path. Rejects where the receiver would be told to fail. */
export function outcomeOf(
  route: NeedleRoute,
  head: RequestHead,
  hasBody: boolean,
): Promise<NeedleOutcome> {
  return new Promise((receive, fail) => route.serve(head, hasBody, { receive, fail }));
}
