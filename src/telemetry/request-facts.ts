/** Facts of a finished request for log lines and spans, read from its record on demand. Pure. */

import { firstHeader } from '../http1/request-head.ts';
import { type Reason, troubleReasons } from '../needle/reasons.ts';
import { maskedTarget } from '../needle/request/masked-target.ts';
import type { RequestRecord } from '../needle/request-record.ts';

/** Bytes of a head in which a request id may stand: pairs come behind it in the volume server's order, not before. */
const headBytesMax = 16_384;
const idCharsMax = 128;
const statusLine = /^HTTP\/1\.1 ([1-9][0-9]{2}) /;
const requestIdLine = /\r\nX-Amz-Request-Id:[\t ]*([^\r\n]*)/i;

export interface AnswerFacts {
  /** undefined: no answer began, or the proxy did not read it (raw). */
  readonly status: number | undefined;
  /** X-Amz-Request-Id of the answer: made here, or the volume server's. */
  readonly requestId: string | undefined;
}

export function answerFacts({ answerHead }: RequestRecord): AnswerFacts {
  const head = headText(answerHead);
  const status = statusLine.exec(head)?.[1];
  return {
    status: status === undefined ? undefined : Number(status),
    requestId: shortened(requestIdLine.exec(head)?.[1]?.trimEnd()),
  };
}

function headText(head: RequestRecord['answerHead']): string {
  const text =
    typeof head === 'string'
      ? head.slice(0, headBytesMax)
      : head.toString('latin1', 0, Math.min(head.length, headBytesMax));
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? text : text.slice(0, end);
}

/**
 * Returns the client's id of the request: its X-Amz-Request-Id, which the volume server ignores, or its X-Request-Id.
 */
export function clientRequestId({ request }: RequestRecord): string | undefined {
  return shortened(
    firstHeader(request, 'x-amz-request-id') ?? firstHeader(request, 'x-request-id'),
  );
}

export function sessionText({ sessionId }: RequestRecord): string | undefined {
  return sessionId === 0n ? undefined : `${sessionId}`;
}

export function maskedPath({ request }: RequestRecord): string {
  return maskedTarget(request.target);
}

function shortened(id: string | undefined): string | undefined {
  return id === undefined || id === '' ? undefined : id.slice(0, idCharsMax);
}

/** Worth a line each: the fast path failed, or data is damaged. */
const toldReasons: ReadonlySet<Reason | ''> = new Set<Reason | ''>([...troubleReasons, 'corrupt']);

export function isTrouble({ outcome, reason }: RequestRecord): boolean {
  return outcome === 'error' || toldReasons.has(reason);
}
