import type { ReadRequest } from '../request/read-request.ts';

/**
 * Everything that the head of a plain answer depends on besides the needle and the host's facts; undefined where an
 * answer is made for the one request alone (ranges, conditions, overrides, images).
 */
export function variantOf(read: ReadRequest): string | undefined {
  const isOwn =
    read.range !== undefined ||
    read.ifNoneMatch !== undefined ||
    read.ifModifiedSince !== undefined ||
    read.overrides.length > 0 ||
    read.wantsImageOperation ||
    read.urlFilename.length > filenameMax;
  if (isOwn) return undefined;
  const bits =
    (read.method === 'HEAD' ? 1 : 0) |
    (read.acceptsGzip ? 2 : 0) |
    (read.hasOrigin ? 4 : 0) |
    (read.asAttachment ? 8 : 0) |
    (read.manifestAsIs ? 16 : 0) |
    (read.close ? 32 : 0) |
    (read.http10 ? 64 : 0);
  if (read.urlFilename === '') return plainVariants[bits];
  return `${bits} ${read.urlFilename}`;
}

/** Longer names are not asked for again and again, so they are not kept. */
const filenameMax = 256;

const plainVariants: readonly string[] = Array.from({ length: 128 }, (_, bits) => String(bits));
