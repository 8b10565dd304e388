/** A read of a needle's bytes alone, which came as no HTTP request: the sidecar's. */
import type { ByteRange } from '../answer/ranges.ts';
import type { ReadRequest } from './read-request.ts';

export interface BytesRead {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** `<vid>,<fid>` as the client spells it, without `_delta`: a token must claim it. */
  readonly claimedFid: string;
  /** Counts decoded bytes; undefined: all of them. */
  readonly range: ByteRange | undefined;
  readonly token: string | undefined;
}

/** No caller sees the type; a given one need not be learned from the volume server. */
const anyType: ReadRequest['overrides'] = [['Content-Type', 'application/octet-stream']];

/** The GET that asks for these bytes and is answered with nothing but them. */
export function requestOf({ range, ...needle }: BytesRead): ReadRequest {
  return {
    ...needle,
    method: 'GET',
    urlFilename: '',
    urlExt: '',
    acceptsGzip: false,
    range: range && `bytes=${range.start}-${range.end - 1}`,
    ifModifiedSince: undefined,
    ifNoneMatch: undefined,
    hasOrigin: false,
    asAttachment: false,
    wantsImageOperation: false,
    manifestAsIs: false,
    overrides: anyType,
    close: false,
    isPlain: false,
    http10: false,
  };
}
