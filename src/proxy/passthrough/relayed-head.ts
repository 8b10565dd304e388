/** The heads that the relay sends: the bytes that came, or what has to be written anew of them. Pure. */
import { fieldLines } from '../lane/field-lines.ts';
import type { FramedRequest } from '../lane/request-framer.ts';
import { type AnswerHead, rawHeadersOf } from './answer-head.ts';
import { answerHeaders, requestHeaders } from './hop-by-hop.ts';
import { hasConnection } from './relayable.ts';

/** @param headBytes of the request, as they came */
export function requestHead(request: FramedRequest, headBytes: Buffer): Buffer {
  if (!hasConnection(request)) return headBytes;
  const { method, target, rawHeaders } = request.head;
  const lines = fieldLines(requestHeaders(rawHeaders));
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
}

/**
 * latin1, blank line included.
 *
 * @param closeAsked by the client
 */
export function answerHeadText(head: AnswerHead, closeAsked: boolean): string {
  const { text } = head;
  if (!head.hasConnection && !closeAsked) return `${text}\r\n`;
  const statusLine = text.slice(0, text.indexOf('\n') + 1);
  return `${statusLine}${fieldLines(answerHeaders(rawHeadersOf(head), closeAsked))}\r\n`;
}

/** One buffer of two that lie one behind the other in memory, or of copies. */
export function joined(head: Buffer, body: Buffer): Buffer {
  if (body.length === 0) return head;
  if (head.buffer === body.buffer && head.byteOffset + head.length === body.byteOffset) {
    return Buffer.from(head.buffer, head.byteOffset, head.length + body.length);
  }
  return Buffer.concat([head, body]);
}
