/**
 * Reads from a volume server's answer which Content-Type its host gives to an extension. What the handler sets is sorted
 * before Date; what net/http sniffs comes after it (specification 5.1): then the host has no type for the extension.
 */
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import { etagOf, isCompressed, isManifest } from '../record.ts';
import { formatHttpTime } from './http-time.ts';

/** Headers that net/http itself puts behind Date. */
const behindDate: ReadonlySet<string> = new Set([
  'Content-Length',
  'Content-Type',
  'Connection',
  'Transfer-Encoding',
]);

/** Headers that every 200 and 206 of the volume server has before Date. */
const alwaysBefore = ['Accept-Ranges', 'Etag', 'Server', 'X-Amz-Request-Id'];

/**
 * The type; '' if the host has none; undefined if this answer cannot tell.
 * `rawHeaders` are flat and in wire order, of an answer to a GET without overrides.
 */
export function learnedType(
  status: number,
  rawHeaders: readonly string[],
  needle: NeedleFacts,
): string | undefined {
  if (status !== 200 && status !== 206) return undefined;
  const hasMime = needle.mime !== '' && !needle.mime.startsWith('application/octet-stream');
  if (hasMime || needle.pairs !== '' || isManifest(needle.flags)) return undefined;
  const names = rawHeaders.filter((_, index) => index % 2 === 0);
  const dateAt = names.indexOf('Date');
  if (!isGoOrder(names, dateAt)) return undefined;
  const typeAt = names.indexOf('Content-Type');
  if (typeAt < 0 || typeAt > dateAt) return '';
  const type = rawHeaders[typeAt * 2 + 1] ?? '';
  return type.startsWith('multipart/byteranges') ? undefined : type;
}

/** A proxy between this one and the volume server may have rewritten the head: its order then tells nothing. */
function isGoOrder(names: readonly string[], dateAt: number): boolean {
  if (dateAt < 0) return false;
  const before = names.slice(0, dateAt);
  const isSorted = before.every((name, index) => index === 0 || (before[index - 1] ?? '') < name);
  if (!isSorted || !alwaysBefore.every((name) => before.includes(name))) return false;
  return names.slice(dateAt + 1).every((name) => behindDate.has(name));
}

/**
 * Whether an answer's headers are those of this state of the needle, as far as they can tell. An uploader can make two
 * states that differ in the type alone: that nothing was written since the needle was fetched is for the target to say.
 */
export function isAnswerOf(
  needle: NeedleFacts,
  status: number,
  rawHeaders: readonly string[],
): boolean {
  const { checksum, lastModifiedSeconds, dataBytes, flags } = needle;
  const modified = lastModifiedSeconds === 0 ? undefined : formatHttpTime(lastModifiedSeconds);
  if (headerOf(rawHeaders, 'etag') !== etagOf(checksum)) return false;
  if (headerOf(rawHeaders, 'last-modified') !== modified) return false;
  // How long the decoded form is, is not known here.
  if (isCompressed(flags)) return true;
  const length = String(dataBytes);
  return status === 206
    ? headerOf(rawHeaders, 'content-range')?.split('/')[1] === length
    : headerOf(rawHeaders, 'content-length') === length;
}

/** The first of this name, which is in lower case. `rawHeaders` are flat. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  const at = rawHeaders.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name);
  return at < 0 ? undefined : rawHeaders[at + 1];
}
