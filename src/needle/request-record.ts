/** The record of one request: the unit of the traffic accounting (docs/architecture.md, law 4). */
import type { RequestHead } from '../http1/request-head.ts';
import type { Reason } from './reasons.ts';

/** The client's end of a connection. */
export interface ClientEnd {
  /** The client's IP address; '' for a unix socket. */
  readonly address: string;
  /** This process connected to its own listener. */
  readonly isOwn: boolean;
}

/** Who answered: the cache, a target, the volume server; or a request that failed. */
export const outcomes = ['cache', 'rdma', 'passthrough', 'error'] as const;

export type Outcome = (typeof outcomes)[number];

/** One finished request. `reason` is '' for cache and rdma; `transport` is 'none' where no target answered. */
export interface RequestRecord {
  readonly outcome: Outcome;
  readonly reason: Reason | '';
  readonly transport: string;
  /** Session that brought the needle; 0n: none did. */
  readonly sessionId: bigint;
  readonly durationMs: number;
  /** Body bytes sent to the client. */
  readonly bodyBytes: number;
  /** The request as it came. For a connection piped raw: the first line's facts, and no headers. */
  readonly request: RequestHead;
  /**
   * The answer's head as it left, perhaps with body bytes behind it; '' where none left. Valid during the call alone.
   */
  readonly answerHead: Buffer | string;
  readonly client: ClientEnd;
  /** The volume server's failure, in words; absent: it did not fail. */
  readonly error?: string | undefined;
  /** How long the corridor took until it said what becomes of the request; 0 where no observer asked for that. */
  readonly decidedMs: number;
}

/** Receives every finished request exactly once, and keeps nothing of the record but its numbers and names. */
export type RequestObserver = (record: RequestRecord) => void;
