/**
 * The head of an answer: the headers that the volume server's handler sets (specification 5.2 to 5.4), and how Go's net/http
 * writes them: sorted by canonical name, then its own (specification 5.1).
 */

import { isUtf8 } from 'node:buffer';
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import { etagOf } from '../record.ts';
import { extensionOf } from '../request/needle-path.ts';
import type { ReadRequest } from '../request/read-request.ts';
import type { AnswerReady, HostFacts, Varying } from './answer-plan.ts';
import { contentDisposition } from './content-disposition.ts';
import { formatHttpTime } from './http-time.ts';
import { isStreamedByRust } from './rust-answer.ts';

/** Headers that every answer carries, the 304 too. */
export function commonHeaders(
  request: ReadRequest,
  needle: NeedleFacts,
  facts: HostFacts,
  varying: Varying,
): Map<string, string> {
  const headers = new Map([
    ['Server', facts.server ?? ''],
    ['X-Amz-Request-Id', varying.requestId],
  ]);
  if (request.hasOrigin) {
    headers.set('Access-Control-Allow-Credentials', 'true');
    headers.set('Access-Control-Allow-Origin', '*');
  }
  if (needle.lastModifiedSeconds !== 0) {
    headers.set('Last-Modified', formatHttpTime(needle.lastModifiedSeconds));
  }
  return headers;
}

/** In the order in which the volume server sets them: a later one replaces an earlier one. */
export function setContentHeaders(
  headers: Map<string, string>,
  plan: AnswerReady,
  request: ReadRequest,
  needle: NeedleFacts,
): void {
  headers.set('Etag', etagOf(needle.checksum));
  for (const [name, value] of pairHeaders(needle.pairs) ?? []) headers.set(name, value);
  if (plan.encoded) headers.set('Content-Encoding', 'gzip');
  if (plan.contentType !== '') headers.set('Content-Type', plan.contentType);
  headers.set('Accept-Ranges', 'bytes');
  for (const [name, value] of request.overrides) headers.set(name, value);
  const filename = effectiveName(request, needle);
  if (filename !== '' && !headers.get('Content-Disposition')) {
    headers.set('Content-Disposition', contentDisposition(request.asAttachment, filename));
  }
}

/** Tests for an encoding as net/http does: an empty value is none. */
export function hasEncoding(headers: ReadonlyMap<string, string>): boolean {
  return (headers.get('Content-Encoding') ?? '') !== '';
}

/** The URL's third segment, else the stored name; latin1, '' if there is none. */
function effectiveName(request: ReadRequest, needle: NeedleFacts): string {
  return request.urlFilename === '' ? needle.name : request.urlFilename;
}

/** The stored mime, else the host's type for the extension; '' if there is none, undefined if that is not learned. */
export function contentType(
  request: ReadRequest,
  needle: NeedleFacts,
  facts: HostFacts,
): string | undefined {
  if (hasOwnType(needle)) return needle.mime;
  const key = typeKey(request, needle, facts.kind);
  return key === undefined ? '' : facts.typeOf(key);
}

/** True for a stored mime that is sent as it is: the host's types do not matter then. */
export function hasOwnType({ mime }: Pick<NeedleFacts, 'mime'>): boolean {
  return mime !== '' && !mime.startsWith('application/octet-stream');
}

/** Under what the host's type is learned: the extension; undefined if there is none. */
export function typeKey(
  request: ReadRequest,
  needle: NeedleFacts,
  kind: ServerKind,
): string | undefined {
  const ext = extensionOf(effectiveName(request, needle));
  if (ext === '' || ext === '.') return undefined;
  // Such an answer has a type only where the host gives one; the others always have one.
  return kind === 'rust' && isStreamedByRust(request, needle) ? `${ext} streamed` : ext;
}

export function hasTypeOverride(request: ReadRequest): boolean {
  return request.overrides.some(([name]) => name === 'Content-Type');
}

/** The value that net/http sees: '' if there is none. */
export function contentEncoding(
  request: ReadRequest,
  pairs: PairHeaders,
  encoded: boolean,
): string {
  const override = request.overrides.find(([name]) => name === 'Content-Encoding');
  if (override !== undefined) return override[1];
  return encoded ? 'gzip' : (pairs.get('Content-Encoding') ?? '');
}

/** The needle's pairs, a JSON object, as headers (specification 5.2): canonical name and value, both latin1. */
export type PairHeaders = ReadonlyMap<string, string>;

const noPairs: PairHeaders = new Map();

/** Headers that net/http treats in its own way, or that differ in each answer. */
const ownHeaders: ReadonlySet<string> = new Set([
  'Date',
  'Server',
  'X-Amz-Request-Id',
  'Connection',
  'Transfer-Encoding',
  'Trailer',
]);

/** Go's decoder stops at a depth of 10,000; what is nested at all is a value without meaning here. */
const nestingMax = 100;

/** undefined: not to be reproduced here. What is no JSON object of strings gives no headers, or empty ones. */
export function pairHeaders(pairs: string): PairHeaders | undefined {
  if (pairs === '') return noPairs;
  const bytes = Buffer.from(pairs, 'latin1');
  if (!isUtf8(bytes)) return undefined;
  if (pairs.split(/[[{]/, nestingMax + 1).length > nestingMax) return undefined;
  const parsed = parseObject(bytes.toString('utf8'));
  if (parsed === undefined) return noPairs;
  const headers = new Map<string, string>();
  for (const [key, value] of Object.entries(parsed)) {
    const name = canonicalHeaderName(Buffer.from(key, 'utf8').toString('latin1'));
    if (ownHeaders.has(name) || name.startsWith('Trailer:')) return undefined;
    if (!isHeaderName(name)) continue;
    // Two spellings of one name: a random one of them wins.
    if (headers.has(name)) return undefined;
    headers.set(
      name,
      typeof value === 'string' ? Buffer.from(value, 'utf8').toString('latin1') : '',
    );
  }
  return headers;
}

/** undefined: no JSON, or no object. */
function parseObject(text: string): object | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** Go's textproto.CanonicalMIMEHeaderKey: what is no header name stays as it is. */
export function canonicalHeaderName(name: string): string {
  if (!canonicalizable.test(name)) return name;
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

const canonicalizable = /^[0-9A-Za-z!#$%&'*+\-.^_`|~]+$/;

function isHeaderName(name: string): boolean {
  return canonicalizable.test(name);
}

/** Headers that net/http adds behind the handler's headers, in this order, only where it is set. */
export interface AddedHeaders {
  readonly date: string;
  readonly contentLength?: number | undefined;
  readonly contentType?: string | undefined;
  readonly close: boolean;
  /** The client speaks HTTP/1.0. */
  readonly http10?: boolean;
}

export interface HeadParts {
  /** For example "200 OK". */
  readonly status: string;
  /** Headers by canonical name; values may hold any byte. */
  readonly headers: ReadonlyMap<string, string>;
  readonly added: AddedHeaders;
}

/** Status line to blank line, latin1. */
export function formatHead({ status, headers, added }: HeadParts): string {
  const http10 = added.http10 === true;
  let head = `${statusLineStart(http10)}${status}\r\n`;
  for (const name of [...headers.keys()].sort()) {
    head += `${name}: ${cleanValue(headers.get(name) as string)}\r\n`;
  }
  head += `Date: ${added.date}\r\n`;
  if (added.contentLength !== undefined) head += `Content-Length: ${added.contentLength}\r\n`;
  if (added.contentType !== undefined) head += `Content-Type: ${added.contentType}\r\n`;
  return `${head}${connectionLine(http10, added.close)}\r\n`;
}

/** Line ends become blanks, and blanks around are cut: nothing else is touched. */
function cleanValue(value: string): string {
  if (!/[\r\n]|^[ \t]|[ \t]$/.test(value)) return value;
  const line = value.replace(/[\r\n]/g, ' ');
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line, start)) start += 1;
  while (end > start && isBlank(line, end - 1)) end -= 1;
  return line.slice(start, end);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === ' ' || text[index] === '\t';
}

// An answer to HTTP/1.0 differs from one to HTTP/1.1 in two places (specification section 12).

export function statusLineStart(http10: boolean): string {
  return http10 ? 'HTTP/1.0 ' : 'HTTP/1.1 ';
}

/** Each version's own exception is said: that the connection ends, or that it stays. '' says what is usual. */
export function connectionLine(http10: boolean, close: boolean): string {
  if (close) return http10 ? '' : 'Connection: close\r\n';
  return http10 ? 'Connection: keep-alive\r\n' : '';
}
