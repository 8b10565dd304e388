/** The heads that the relay sends: the bytes that came, or what has to be written anew of them. Pure. */

import { type AnswerHead, rawHeadersOf } from './answer-head.ts';
import { fieldLines } from './field-lines.ts';
import { answerHeaders, requestHeaders } from './hop-by-hop.ts';
import type { FramedRequest } from './request-framer.ts';

/** @param headBytes of the request, as they came */
export function requestHead(request: FramedRequest, headBytes: Buffer): Buffer {
  if (!request.block.hasHops) return headBytes;
  const { method, target, rawHeaders } = request.head;
  const lines = fieldLines(requestHeaders(rawHeaders));
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
}

/** latin1, blank line included. */
export function answerHeadText(head: AnswerHead, request: FramedRequest): string {
  if (isAnswerWhole(head, request)) return `${head.text}\r\n`;
  const statusLine = head.text.slice(0, head.text.indexOf('\n') + 1);
  return `${statusLine}${fieldLines(answerHeaders(rawHeadersOf(head), request.close))}\r\n`;
}

/** The head's text says of the client's connection what the volume server itself would have said. */
export function isAnswerWhole(head: AnswerHead, { block, close }: FramedRequest): boolean {
  return block.http10 || (!head.hasConnection && !close);
}

/** One buffer of two that lie one behind the other in memory, or of copies. */
export function joined(head: Buffer, body: Buffer): Buffer {
  if (body.length === 0) return head;
  if (head.buffer === body.buffer && head.byteOffset + head.length === body.byteOffset) {
    return Buffer.from(head.buffer, head.byteOffset, head.length + body.length);
  }
  return Buffer.concat([head, body]);
}
