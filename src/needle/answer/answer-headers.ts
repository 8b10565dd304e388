/** The headers that the volume server's handler sets on a needle's answer (specification 5.2 to 5.4). */

import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ReadRequest } from '../request/read-request.ts';
import type { AnswerReady, HostFacts, Varying } from './answer-plan.ts';
import { effectiveName } from './content.ts';
import { contentDisposition } from './content-disposition.ts';
import { etagOf } from './etag.ts';
import { formatHttpTime } from './http-time.ts';
import { pairHeaders } from './pairs.ts';

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
