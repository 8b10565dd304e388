/**
 * The headers of a request that bear on a needle read. Go looks at the first line of each name only; a header that
 * could change the answer in a way that is not reproduced here is refused.
 */

/** Why a request is not answered here; the same words as in the table of reasons. */
export type HeaderFault = 'headers' | 'body';

/** '' stands for an absent or empty header: the volume server treats the two alike. */
export interface ReadHeaders {
  readonly acceptEncoding: string;
  readonly range: string;
  readonly ifModifiedSince: string;
  readonly ifNoneMatch: string;
  readonly origin: string;
  readonly authorization: string;
  readonly cookieLines: readonly string[];
  /** The connection ends with the answer: the client asked for it, or speaks HTTP/1.0 and did not ask to keep it. */
  readonly close: boolean;
  /** Nothing in them that SeaweedFS's two volume servers, in Go and in Rust, read differently. */
  readonly isPlain: boolean;
}

const validName = /^[0-9A-Za-z!#$%&'*+\-.^_`|~]+$/;
/** Go refuses control bytes in values, the tab apart. */
const refusedInValue = /[^\t\x20-\x7e\x80-\xff]/;
/** The one expectation that the volume server knows. */
export const continueExpected: RegExp = /^100-continue$/i;
/** HTTP/2 without TLS, as clients written in Java offer it. */
export const offeredProtocol: RegExp = /^h2c$/i;
/** Options that a client of HTTP/1.0 may send in Connection. */
export const plainOption: RegExp = /^(?:keep-alive|close)$/i;
/** The one in Rust refuses more than 100 lines. */
const plainLinesMax = 64;
/** The one in Go takes any character for the blank. */
const plainBearer = /^bearer /i;
/** The rest is refused, or beyond ASCII. */
const beyondPlain = /[^\t\x20-\x7e]/;
const validHost = /^[0-9A-Za-z!$%&()*+,\-.:;=[\]'_~]*$/;

interface Collected {
  acceptEncoding: string | undefined;
  range: string | undefined;
  ifModifiedSince: string | undefined;
  ifNoneMatch: string | undefined;
  origin: string | undefined;
  authorization: string | undefined;
  cookieLines: string[] | undefined;
  close: boolean | undefined;
  isPlain: boolean;
}

/** The reason why a request with these headers is not answered here, or what they say. */
export function readHeaders(
  rawHeaders: readonly string[],
  http10 = false,
): ReadHeaders | HeaderFault {
  const seen: Collected = {
    acceptEncoding: undefined,
    range: undefined,
    ifModifiedSince: undefined,
    ifNoneMatch: undefined,
    origin: undefined,
    authorization: undefined,
    cookieLines: undefined,
    close: undefined,
    isPlain: !http10 && rawHeaders.length <= 2 * plainLinesMax,
  };
  let hosts = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    if (!validName.test(name)) return 'headers';
    if (beyondPlain.test(value)) {
      if (refusedInValue.test(value)) return 'headers';
      seen.isPlain = false;
    }
    const lowerName = name.toLowerCase();
    if (lowerName === 'host') hosts += 1;
    const refused = refusal(lowerName, value);
    if (refused !== undefined) return refused;
    if (http10 && lowerName === 'connection' && !isPlainOption(seen, value)) return 'headers';
    collect(seen, lowerName, value);
  }
  // With two Hosts a request is malformed to Go, and an HTTP/1.1 request without Host is.
  if (hosts > 1 || (hosts === 0 && !http10)) return 'headers';
  return {
    acceptEncoding: seen.acceptEncoding ?? '',
    range: seen.range ?? '',
    ifModifiedSince: seen.ifModifiedSince ?? '',
    ifNoneMatch: seen.ifNoneMatch ?? '',
    origin: seen.origin ?? '',
    authorization: seen.authorization ?? '',
    cookieLines: seen.cookieLines ?? noLines,
    close: http10 ? seen.close !== false : (seen.close ?? false),
    isPlain: seen.isPlain && seen.range !== '' && seen.origin !== '',
  };
}

const noLines: readonly string[] = [];

/** The first line of a name counts, an empty one too. */
function collect(seen: Collected, lowerName: string, value: string): void {
  switch (lowerName) {
    case 'accept-encoding':
      seen.acceptEncoding ??= value;
      break;
    case 'range':
      seen.range ??= value;
      break;
    case 'if-modified-since':
      seen.ifModifiedSince ??= value;
      break;
    case 'if-none-match':
      seen.ifNoneMatch ??= value;
      break;
    case 'origin':
      seen.origin ??= value;
      break;
    case 'authorization':
      seen.authorization ??= value;
      seen.isPlain &&= plainBearer.test(value);
      break;
    case 'cookie':
      seen.cookieLines ??= [];
      seen.cookieLines.push(value);
      seen.isPlain = false;
      break;
    case 'content-length':
    case 'expect':
    case 'upgrade':
      seen.isPlain = false;
      break;
    case 'connection':
      seen.close = seen.close === true || asksClose(value, seen.close === undefined);
      break;
  }
}

function refusal(lowerName: string, value: string): HeaderFault | undefined {
  switch (lowerName) {
    case 'host':
      return validHost.test(value) ? undefined : 'headers';
    case 'expect':
      // Specification section 12: without a body it changes nothing, and another expectation is answered with 417.
      return continueExpected.test(value) ? undefined : 'headers';
    case 'upgrade':
      // The volume server speaks HTTP/1 alone, and answers as if nothing had been offered.
      return offeredProtocol.test(value) ? undefined : 'headers';
    case 'transfer-encoding':
      return 'body';
    case 'content-length':
      return /^0+$/.test(value) ? undefined : 'body';
    case 'content-type':
      // Form fields of a multipart body count as query values (specification section 3).
      return /^multipart\//i.test(value) ? 'headers' : undefined;
    default:
      return undefined;
  }
}

/** Takes only the two plain options of HTTP/1.0, once: Go looks for `keep-alive` before it looks for `close`. */
function isPlainOption({ close }: Collected, value: string): boolean {
  return close === undefined && plainOption.test(value);
}

/**
 * Go closes when any Connection line lists `close` between commas, or when its first line has it between blanks
 * (net/http shouldClose and hasToken).
 */
function asksClose(value: string, isFirst: boolean): boolean {
  const separators = isFirst ? /[ \t,]/ : /,/;
  return value.split(separators).some((token) => token.trim().toLowerCase() === 'close');
}
