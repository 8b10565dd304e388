/**
 * Finds one request's head in the bytes of a connection and says who may handle it. A strict recogniser, not a general
 * parser: what is not understood with certainty is `raw`, and goes to the volume server unread. Pure.
 * RFC 9112 sections 2 to 7; what the volume server accepts beyond that: specification section 12.
 */
import type { RequestHead } from '../needle/request-head.ts';

export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

export interface FramedRequest {
  readonly kind: 'request';
  readonly head: RequestHead;
  /** Head bytes, blank line included. */
  readonly headBytes: number;
  readonly body: BodyFraming;
  /** The client asked for `Connection: close`. */
  readonly close: boolean;
}

export type FramerVerdict =
  | FramedRequest
  | { readonly kind: 'incomplete' }
  /** `target`: the second word of the first line, for choosing a volume server; '/' if there is none. */
  | { readonly kind: 'raw'; readonly target: string };

/** The methods that Node's parser knows and gives back as spelled; CONNECT and PRI it treats apart. */
const methods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
]);

const requestLine = /^([A-Z]+) (\/[!"$-~]*) HTTP\/1\.1\r\n/;
/** Names are tokens; values visible ASCII, blanks and tabs: other bytes Node would not reproduce in every header. */
const headerLines = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*\r\n)*$/;
const contentLength = /^[0-9]{1,15}$/;
/** Go refuses other characters in Host with a text of its own. */
const hostValue = /^[-0-9A-Za-z.:_[\]]*$/;
const none: BodyFraming = { kind: 'none' };
const chunked: BodyFraming = { kind: 'chunked' };
const incomplete: FramerVerdict = { kind: 'incomplete' };

/**
 * @param bytes all unread bytes of the connection, at least one
 * @param scannedBytes how many of them an earlier call called `incomplete`
 */
export function frameRequest(
  bytes: Buffer,
  scannedBytes: number,
  headBytesMax: number,
): FramerVerdict {
  const end = bytes.indexOf('\r\n\r\n', Math.max(0, scannedBytes - 3), 'latin1');
  if (end < 0) {
    if (bytes.length > headBytesMax) return raw(bytes);
    return isStillPlausible(bytes, scannedBytes) ? incomplete : raw(bytes);
  }
  const headBytes = end + 4;
  if (headBytes > headBytesMax) return raw(bytes);
  return readHead(bytes.toString('latin1', 0, end + 2), headBytes) ?? raw(bytes);
}

/** Go answers some mistakes before the blank line: those must not wait here for a head that never ends. */
function isStillPlausible(bytes: Buffer, scannedBytes: number): boolean {
  let lineFeed = bytes.indexOf(0x0a, scannedBytes);
  if (lineFeed < 0) return true;
  if (
    bytes.indexOf(0x0a) === lineFeed &&
    !requestLine.test(bytes.toString('latin1', 0, lineFeed + 1))
  ) {
    return false;
  }
  while (lineFeed >= 0) {
    if (lineFeed === 0 || bytes[lineFeed - 1] !== 0x0d) return false;
    lineFeed = bytes.indexOf(0x0a, lineFeed + 1);
  }
  return true;
}

/** `text`: the head without its blank line. */
function readHead(text: string, headBytes: number): FramedRequest | undefined {
  const line = requestLine.exec(text);
  if (line === null) return undefined;
  const [whole, method, target] = line as unknown as [string, string, string];
  const fields = text.slice(whole.length);
  if (!methods.has(method) || !headerLines.test(fields)) return undefined;

  const rawHeaders = splitFields(fields);
  const framing = readFraming(rawHeaders);
  if (framing === undefined) return undefined;
  return {
    kind: 'request',
    head: { method, target, rawHeaders },
    headBytes,
    body: framing.body,
    close: framing.close,
  };
}

function splitFields(fields: string): string[] {
  const rawHeaders: string[] = [];
  let at = 0;
  while (at < fields.length) {
    const colon = fields.indexOf(':', at);
    const lineEnd = fields.indexOf('\r', colon);
    rawHeaders.push(fields.slice(at, colon), trimBlanks(fields, colon + 1, lineEnd));
    at = lineEnd + 2;
  }
  return rawHeaders;
}

function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** undefined: a message whose length or meaning two parsers could see differently. */
function readFraming(
  rawHeaders: readonly string[],
): { readonly body: BodyFraming; readonly close: boolean } | undefined {
  let hosts = 0;
  let body = none;
  let close = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] as string;
    switch ((rawHeaders[i] as string).toLowerCase()) {
      case 'host':
        hosts += 1;
        if (!hostValue.test(value)) return undefined;
        break;
      case 'content-length':
        if (body.kind !== 'none' || !contentLength.test(value)) return undefined;
        body = { kind: 'length', bytes: Number(value) };
        break;
      case 'transfer-encoding':
        if (body.kind !== 'none' || value.toLowerCase() !== 'chunked') return undefined;
        body = chunked;
        break;
      case 'connection':
        if (/upgrade/i.test(value) || !isTokenList(value)) return undefined;
        close ||= hasCloseToken(value);
        break;
      case 'expect':
      case 'upgrade':
      case 'http2-settings':
      case 'proxy-connection':
        return undefined;
    }
  }
  if (hosts !== 1) return undefined;
  return { body, close };
}

/** Go also finds a token between blanks: what is no plain list is left to it. */
function isTokenList(value: string): boolean {
  return value.split(',').every((token) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(token.trim()));
}

function hasCloseToken(value: string): boolean {
  if (value.length === 10 && value.toLowerCase() === 'keep-alive') return false;
  return value.split(',').some((token) => token.trim().toLowerCase() === 'close');
}

function raw(bytes: Buffer): FramerVerdict {
  const firstLine = bytes.toString('latin1', 0, 8_192).split('\n', 1)[0] as string;
  return { kind: 'raw', target: firstLine.split(' ')[1]?.trim() || '/' };
}
