/** Errors that are the proxy's own: the few bytes that make a client try another replica. */
import { STATUS_CODES } from 'node:http';
import { connectionLine, statusLineStart } from '../../needle/answer/answer-headers.ts';
import { newRequestId } from '../../needle/answer/prepared-answer.ts';

/** Go's answer to a head that it does not understand, or not in time. */
export const malformed =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request';

export type RefusalStatus = 502 | 503 | 504;

export interface Refusal {
  readonly status: RefusalStatus;
  readonly bodyBytes: number;
  /** The client speaks HTTP/1.0. */
  readonly http10: boolean;
  /** The connection ends with the answer. */
  readonly close: boolean;
}

/** Status line to blank line, latin1. */
export function refusalHead({ status, bodyBytes, http10, close }: Refusal): string {
  return (
    `${statusLineStart(http10)}${status} ${STATUS_CODES[status]}\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${bodyBytes}\r\n` +
    `${status === 503 ? 'Retry-After: 1\r\n' : ''}X-Amz-Request-Id: ${newRequestId()}\r\n` +
    `Date: ${new Date().toUTCString()}\r\n${connectionLine(http10, close)}\r\n`
  );
}

export function refusalBody(text: string): string {
  return `${text}\n`;
}

/** Says whose error it is, so that the operator does not look for it in the volume server's log. */
export function refusalText(text: string): string {
  return `seaweed-rdma: ${text}`;
}
