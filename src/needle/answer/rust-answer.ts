/**
 * Answers of SeaweedFS's volume server in Rust, as far as they are reproduced: live needles asked plainly, whole or by one
 * range. Its names are in lower case and in the order in which its handler sets them. Everything else is the server's to
 * answer. Pure.
 */

import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import { isRustServer } from '../../volume-server/rust-server.ts';
import { etagOf, isCompressed } from '../record.ts';
import type { ReadRequest } from '../request/read-request.ts';
import type { AnswerReady, HostFacts, Varying } from './answer-plan.ts';
import { formatHttpTime } from './http-time.ts';
import { headerOf } from './learn.ts';
import { type ByteRange, contentRange } from './ranges.ts';

/** From there on an uncompressed needle is sent as it is read, by another way with other headers. */
const streamedBytesMin = 1024 * 1024 + 1;
/** The type that the Rust server gives a body without one. */
const typeOfBytes = 'application/octet-stream';

/** Under what is learned how it writes a body that it holds whole; a word with a blank, which is no extension. */
export const bufferedKey = 'buffered body';

/** The last second of the year 9999: later years are written in another way. */
const plainSecondsMax = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;
const plainName = /^[0-9A-Za-z._-]*$/;
const plainType = /^[!-~][ -~]*$/;
const plainRange = /^bytes=(\d{1,15})-(\d{0,15})$/;
/** The token header that SeaweedFS's master and filer make and the Rust server verifies. */
const ownHeader = '{"alg":"HS256","typ":"JWT"}';
const ownClaims = /^\{"fid":"[0-9A-Za-z,]*"(?:,"exp":\d{1,12})?\}$/;

/** Whether this answer is known here to the byte. */
export function canAnswerAsRust(request: ReadRequest, needle: NeedleFacts): boolean {
  const isAskedPlainly =
    request.isPlain &&
    request.method === 'GET' &&
    request.ifModifiedSince === undefined &&
    request.ifNoneMatch === undefined &&
    !request.hasOrigin &&
    !request.close;
  const isStoredPlainly =
    needle.pairs === '' &&
    needle.lastModifiedSeconds <= plainSecondsMax &&
    plainName.test(needle.name) &&
    (needle.mime === '' || plainType.test(needle.mime));
  return (
    isAskedPlainly &&
    isStoredPlainly &&
    isInside(request.range, needle) &&
    (request.token === undefined || isOwnToken(request.token))
  );
}

/** One range that begins in the needle; of a compressed one that is for the plan to see, which knows the length. */
function isInside(range: string | undefined, needle: NeedleFacts): boolean {
  if (range === undefined) return true;
  const [, first, last] = plainRange.exec(range) ?? [];
  if (first === undefined || (last !== '' && Number(last) < Number(first))) return false;
  return isCompressed(needle.flags) || Number(first) < needle.dataBytes;
}

function isOwnToken(token: string): boolean {
  const [header = '', claims = ''] = token.split('.');
  const text = (segment: string): string => Buffer.from(segment, 'base64url').toString('latin1');
  return text(header) === ownHeader && ownClaims.test(text(claims));
}

/** A long needle that is stored as it is, and asked for whole. */
export function isStreamedByRust(request: ReadRequest, needle: NeedleFacts): boolean {
  const isStored = !isCompressed(needle.flags);
  return request.range === undefined && isStored && needle.dataBytes >= streamedBytesMin;
}

/**
 * Inflates as the Rust server does: it reads the first gzip member only, and ignores what follows; the one in Go
 * inflates all. RFC 1952 2.3.1: a member ends with its length, so that several members show where `decoded` is all of
 * them.
 */
export function inflatesAsRust(stored: Buffer, decoded: Buffer): boolean {
  return stored.length >= 4 && stored.readUInt32LE(stored.length - 4) === decoded.length % 2 ** 32;
}

export interface RustAnswer {
  readonly plan: AnswerReady;
  readonly request: ReadRequest;
  readonly needle: NeedleFacts;
  readonly facts: HostFacts;
  readonly bodyBytes: number;
  readonly varying: Varying;
  /** For example "200 OK". */
  readonly status: string;
}

/** Status line to blank line, latin1. */
export function rustHead(answer: RustAnswer): string {
  const { plan, request, needle, facts, bodyBytes, varying, status } = answer;
  const isRange = plan.status === 206;
  const isStored = !isCompressed(needle.flags);
  const isStreamed = isStreamedByRust(request, needle);
  const lines: (readonly [string, string])[] = [];
  if (!isStreamed) lines.push(['content-type', plan.contentType || typeOfBytes]);
  lines.push(['etag', etagOf(needle.checksum)]);
  if (isStreamed && plan.contentType !== '') lines.push(['content-type', plan.contentType]);
  if (needle.lastModifiedSeconds !== 0) {
    lines.push(['last-modified', formatHttpTime(needle.lastModifiedSeconds)]);
  }
  if (needle.name !== '') lines.push(['content-disposition', `inline; filename=${needle.name}`]);
  if (plan.encoded) lines.push(['content-encoding', 'gzip']);
  if (!isRange || !isStored) lines.push(['accept-ranges', 'bytes']);
  if (isRange) {
    lines.push(['content-range', contentRange(plan.ranges[0] as ByteRange, plan.totalBytes)]);
  }
  const length = ['content-length', String(bodyBytes)] as const;
  // Set by the handler, or counted when the answer is finished.
  if (isRange || isStreamed) lines.push(length);
  lines.push(['server', facts.server ?? '']);
  lines.push(['x-request-id', varying.requestId], ['x-amz-request-id', varying.requestId]);
  if (!isRange && !isStreamed) lines.push(length);
  lines.push(['date', varying.date]);
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status}\r\n${text}\r\n`;
}

/**
 * Learns from the server's own answer to a GET, for `key`: a type ('' where there is none), or how it writes bodies.
 * undefined: it cannot tell. `rawHeaders` are flat and in wire order.
 */
export function learnedOfRust(
  key: string,
  status: number,
  rawHeaders: readonly string[],
): string | undefined {
  if (status !== 200 && status !== 206) return undefined;
  if (!isRustServer(rawHeaders)) return undefined;
  // With -concurrentDownloadLimitMB it counts bodies as they leave: neither their length nor their type is set by itself.
  if (key === bufferedKey) return rawHeaders[0] === 'content-type' ? 'counted' : 'tracked';
  return headerOf(rawHeaders, 'content-type') ?? '';
}
