/** The headers that the volume server's handler sets on a needle's answer (specification 5.2 to 5.4). */

import { isUtf8 } from 'node:buffer';
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import { etagOf } from '../record.ts';
import { extensionOf } from '../request/needle-path.ts';
import type { ReadRequest } from '../request/read-request.ts';
import type { AnswerReady, HostFacts, Varying } from './answer-plan.ts';
import { contentDisposition } from './content-disposition.ts';
import { canonicalHeaderName, isHeaderName } from './header-order.ts';
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
export function effectiveName(request: ReadRequest, needle: NeedleFacts): string {
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
