/** Which headers end at a proxy (RFC 9110 section 7.6.1), and the heads that the relay sends without them. Pure. */

import { type AnswerHead, rawHeadersOf } from './answer-head.ts';
import { fieldLines } from './field-lines.ts';
import type { FramedRequest } from './request-framer.ts';
import { hopByHop } from './request-head.ts';

/** A client that lists these in Connection would change the request's meaning on the way: they stay. */
const endToEnd: ReadonlySet<string> = new Set([
  'accept-encoding',
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'date',
  'expect',
  'host',
  'if-modified-since',
  'if-none-match',
  'origin',
  'range',
  'transfer-encoding',
]);

/** Returns the headers for the volume server: names, casing, order and duplicates as they came. */
export function requestHeaders(rawHeaders: readonly string[]): readonly string[] {
  const removed = namesInConnection(rawHeaders);
  return without(rawHeaders, (name) => hopByHop.has(name) || removed?.has(name) === true);
}

/**
 * Returns the headers for the client. `Transfer-Encoding` stays in its place, as the body is chunked again;
 * `Connection` stays where it says close, as the connection is then closed. The volume server itself sends no other
 * hop-by-hop header: one that Connection does not name is a needle's own.
 *
 * @param closeAsked the client asked for close: the volume server, asked directly, would have said so in this place
 */
export function answerHeaders(
  rawHeaders: readonly string[],
  closeAsked: boolean,
): readonly string[] {
  const removed = namesInConnection(rawHeaders);
  const saysClose = removed?.has('close') === true;
  const kept = without(
    rawHeaders,
    (name) => (name === 'connection' && !saysClose) || removed?.has(name) === true,
  );
  if (!closeAsked || saysClose) return kept;
  // Specification 5.1: Connection comes last, but before a Transfer-Encoding that the server itself chose.
  const last =
    kept[kept.length - 2]?.toLowerCase() === 'transfer-encoding' ? kept.length - 2 : kept.length;
  return [...kept.slice(0, last), 'Connection', 'close', ...kept.slice(last)];
}

/** The answer says that its connection ends with it. */
export function saysClose(rawHeaders: readonly string[]): boolean {
  return namesInConnection(rawHeaders)?.has('close') === true;
}

/** The answer, to a request of HTTP/1.0, says that its connection stays. */
export function saysKeepAlive(rawHeaders: readonly string[]): boolean {
  return namesInConnection(rawHeaders)?.has('keep-alive') === true;
}

function without(
  rawHeaders: readonly string[],
  isRemoved: (lowerName: string) => boolean,
): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!isRemoved(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string);
  }
  return kept;
}

/** Lower-case, without those that no Connection header may take away; undefined: there is no such header. */
function namesInConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let names: Set<string> | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() !== 'connection') continue;
    names ??= new Set();
    for (const token of (rawHeaders[i + 1] as string).split(',')) {
      const name = token.trim().toLowerCase();
      if (!endToEnd.has(name)) names.add(name);
    }
  }
  return names;
}

/** The head for the volume server. @param headBytes as they came */
export function requestHead(request: FramedRequest, headBytes: Buffer): Buffer {
  if (!request.block.hasHops) return headBytes;
  const { method, target, rawHeaders } = request.head;
  const lines = fieldLines(requestHeaders(rawHeaders));
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
}

/** The head for the client, latin1, blank line included. */
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
