/** The headers about a needle's content, before any header is written (specification 5.2 and 5.3). */

import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import { extensionOf } from '../request/needle-path.ts';
import type { ReadRequest } from '../request/read-request.ts';
import type { HostFacts } from './answer-plan.ts';
import type { PairHeaders } from './pairs.ts';
import { isStreamedByRust } from './rust-answer.ts';

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
  if (needle.mime !== '' && !needle.mime.startsWith('application/octet-stream')) return needle.mime;
  const key = typeKey(request, needle, facts.kind);
  return key === undefined ? '' : facts.typeOf(key);
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
