/**
 * Needle + ReadRequest → status, headers, ranges. Pure; the one implementation of the response semantics
 * (specification sections 5 to 7). The corridor calls planAnswer, gets the bytes that the plan names, then buildAnswer.
 */
import type { Needle } from '../../rdma/needle-fetcher.ts';
import type { ReadRequest } from '../needle/read-request.ts';
import type { Reason } from '../outcome.ts';

/** What only the volume server knows, learned from its own answers. */
export interface HostFacts {
  /** The `Server` value; undefined: not learned yet (`learn-server`). */
  readonly server: string | undefined;
  /** Content-Type by extension (with its dot, as spelled): '' = the host knows none; undefined = not learned yet (`learn-type`). */
  typeOf(ext: string): string | undefined;
}

/** Bytes `[start, end)` of the form that is sent. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type AnswerPlan =
  | {
      readonly kind: 'passthrough';
      readonly reason: Reason;
      /** With `learn-type`: the extension whose type the volume server's answer will tell (GET without overrides only). */
      readonly learnExt?: string;
    }
  /** The data must be decoded first: call planAnswer again with `decodedBytes`. */
  | { readonly kind: 'decode' }
  | AnswerReady;

export interface AnswerReady {
  readonly kind: 'answer';
  readonly status: 200 | 206 | 304;
  /** Which bytes are sent: the stored ones or the decoded ones. */
  readonly form: 'stored' | 'decoded';
  /** Empty for HEAD and 304: no bytes are needed. In the order in which they are sent. */
  readonly ranges: readonly ByteRange[];
  readonly multipart: boolean;
}

/** What differs from one answer to the next. */
export interface Varying {
  /** X-Amz-Request-Id. */
  readonly requestId: string;
  /** RFC 1123 GMT. */
  readonly date: string;
  /** 60 lower-case hex digits, for multipart answers. */
  readonly boundary: string;
}

export interface Answer {
  readonly status: 200 | 206 | 304;
  /** Status line to blank line, latin1. */
  readonly head: string;
  /** In order; views of the slices that were given, and generated part heads. */
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
}

export declare function planAnswer(
  request: ReadRequest,
  needle: Needle,
  facts: HostFacts,
  decodedBytes?: number,
): AnswerPlan;

/** `slices[i]` holds the bytes of `plan.ranges[i]`. */
export declare function buildAnswer(
  plan: AnswerReady,
  request: ReadRequest,
  needle: Needle,
  facts: HostFacts,
  slices: readonly Buffer[],
  varying: Varying,
  decodedBytes?: number,
): Answer;
