/**
 * Method, URL and headers → what a plain needle read asks for, or the reason why it is not one. Pure.
 * Specification sections 3, 4, 5.4, 6, 7, 8, 11.1.
 */

import type { RequestHead } from '../../http1/request-head.ts';
import { type ReadHeaders, readHeaders } from '../../http1/request-headers.ts';
import type { Reason } from '../reasons.ts';
import { findToken } from '../token/read-token-source.ts';
import { parsePlainTarget, parseRawPath, splitTarget } from './needle-path.ts';
import { nothingAsked, type Override, readQuery } from './query.ts';

export interface ReadRequest {
  readonly method: 'GET' | 'HEAD';
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** `<vid>,<fid>` as spelled in the URL, without extension and `_delta`: what a token's claim must equal. */
  readonly claimedFid: string;
  /** The URL's third segment, latin1; '' if there is none. */
  readonly urlFilename: string;
  /** The URL's extension with its dot; '' if there is none. */
  readonly urlExt: string;
  /** The first Accept-Encoding value contains "gzip". */
  readonly acceptsGzip: boolean;
  /** The first Range value of a GET; a HEAD has none. */
  readonly range: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** The first Origin value is non-empty. */
  readonly hasOrigin: boolean;
  /** `dl` parses as true. */
  readonly asAttachment: boolean;
  /** `width`, `height` or a crop box is asked for: an image of a known extension passes through. */
  readonly wantsImageOperation: boolean;
  /** `cm=false`: a manifest is sent as it is stored. */
  readonly manifestAsIs: boolean;
  /** response-* overrides: canonical header name and value. */
  readonly overrides: readonly Override[];
  /** The read token, where the request carries one (query, Authorization, AT). */
  readonly token: string | undefined;
  /** The connection ends with the answer. */
  readonly close: boolean;
  /**
   * True if the request has the form of SeaweedFS's own clients: both its volume servers, in Go and in Rust, read such
   * a request alike.
   */
  readonly isPlain: boolean;
  /** The client speaks HTTP/1.0: the answer does, too, and names what becomes of the connection in other words. */
  readonly http10: boolean;
}

export type ParsedRead =
  | { readonly kind: 'read'; readonly read: ReadRequest }
  | { readonly kind: 'passthrough'; readonly reason: Reason };

/**
 * SeaweedFS's filer, S3 gateway, mount and shell append it to every chunk read. The volume server looks at it only where
 * its map says that the needle is deleted; the target answers no such needle, so these reads are forwarded then.
 */
const chunkQuery = 'readDeleted=true';

/**
 * Each range of a needle that is not at hand is a READ of its own, and two writes: 1,000 of them cost five times the CPU of
 * 32, which cost little more than one. The volume server answers more.
 */
export const rangesMax = 32;

/** Needles of one assignment are named by the first one and a number. */
const plainDelta = /^\/\d{1,9},[0-9A-Fa-f]{9,24}_\d{1,9}$/;

export function parseRead(head: RequestHead): ParsedRead {
  const { method } = head;
  if (method !== 'GET' && method !== 'HEAD') return passed('method');
  const { rawPath, rawQuery } = splitTarget(head.target);
  const plainPlace = parsePlainTarget(rawPath);
  const place = plainPlace ?? parseRawPath(rawPath);
  if (place === undefined) return passed('path');

  const isUnasked = rawQuery === '' || rawQuery === chunkQuery;
  const asked = isUnasked ? nothingAsked : readQuery(rawQuery);
  if (asked === undefined) return passed('query');

  const headers = head.readHeaders ?? readHeaders(head.rawHeaders, head.http10);
  if (typeof headers === 'string') return passed(headers);
  const range = method === 'HEAD' ? undefined : orUndefined(headers.range);
  if (range !== undefined && hasTooManyRanges(range)) return passed('headers');
  const read: ReadRequest = {
    method,
    volumeId: place.volumeId,
    needleId: place.needleId,
    cookie: place.cookie,
    claimedFid: place.claimedFid,
    urlFilename: place.filename,
    urlExt: place.ext,
    acceptsGzip: headers.acceptEncoding.includes('gzip'),
    range,
    ifModifiedSince: orUndefined(headers.ifModifiedSince),
    ifNoneMatch: orUndefined(headers.ifNoneMatch),
    hasOrigin: headers.origin !== '',
    asAttachment: asked.asAttachment,
    wantsImageOperation: asked.wantsImageOperation,
    manifestAsIs: asked.manifestAsIs,
    overrides: asked.overrides,
    token: tokenOf(asked.jwt, headers),
    close: headers.close,
    isPlain: headers.isPlain && (plainPlace !== undefined || plainDelta.test(rawPath)) && isUnasked,
    http10: head.http10 === true,
  };
  return { kind: 'read', read };
}

/** Most requests have nothing that a token could be in. */
function tokenOf(jwt: string, { authorization, cookieLines }: ReadHeaders): string | undefined {
  if (jwt === '' && authorization === '' && cookieLines.length === 0) return undefined;
  return findToken({ jwt, authorization, cookieLines });
}

/** Empty ones count: they have to be looked at, too. */
function hasTooManyRanges(range: string): boolean {
  return range.split(',', rangesMax + 1).length > rangesMax;
}

function passed(reason: Reason): ParsedRead {
  return { kind: 'passthrough', reason };
}

function orUndefined(value: string): string | undefined {
  return value === '' ? undefined : value;
}
