/**
 * What of a request's headers bears on a needle read. Go looks at the first line of each name only; what could change
 * the answer in a way that is not reproduced here is refused.
 */
import type { Reason } from '../outcome.ts';
import type { RequestHead } from './request-head.ts';

/** '' stands for an absent or empty header: the volume server treats the two alike. */
export interface ReadHeaders {
  readonly acceptEncoding: string;
  readonly range: string;
  readonly ifModifiedSince: string;
  readonly ifNoneMatch: string;
  readonly origin: string;
  readonly authorization: string;
  readonly cookieLines: readonly string[];
  /** The client asked for `Connection: close`. */
  readonly close: boolean;
}

const validName = /^[0-9A-Za-z!#$%&'*+\-.^_`|~]+$/;
/** Go refuses control bytes in values, the tab apart. */
const refusedInValue = /[^\t\x20-\x7e\x80-\xff]/;
const validHost = /^[0-9A-Za-z!$%&()*+,\-.:;=[\]'_~]*$/;

type Collected = { -readonly [key in keyof ReadHeaders]: ReadHeaders[key] };

/** The reason why a request with these headers is not answered here, or what they say. */
export function readHeaders(head: RequestHead): ReadHeaders | Reason {
  const cookieLines: string[] = [];
  const seen: Collected = {
    acceptEncoding: '',
    range: '',
    ifModifiedSince: '',
    ifNoneMatch: '',
    origin: '',
    authorization: '',
    cookieLines,
    close: false,
  };
  const singles = new Set<string>();
  for (let i = 0; i + 1 < head.rawHeaders.length; i += 2) {
    const name = head.rawHeaders[i] as string;
    const value = head.rawHeaders[i + 1] as string;
    if (!validName.test(name) || refusedInValue.test(value)) return 'headers';
    const lowerName = name.toLowerCase();
    if (lowerName === 'connection') {
      seen.close ||= asksClose(value, !singles.has(lowerName));
    } else if (lowerName === 'cookie') {
      cookieLines.push(value);
    }
    const refused = refusal(lowerName, value, singles);
    if (refused !== undefined) return refused;
    const key = fieldOf(lowerName);
    if (key !== undefined && !singles.has(lowerName)) seen[key] = value;
    singles.add(lowerName);
  }
  // Without it an HTTP/1.1 request is malformed to Go.
  return singles.has('host') ? seen : 'headers';
}

type ValueField = Exclude<keyof ReadHeaders, 'cookieLines' | 'close'>;

function fieldOf(lowerName: string): ValueField | undefined {
  switch (lowerName) {
    case 'accept-encoding':
      return 'acceptEncoding';
    case 'range':
      return 'range';
    case 'if-modified-since':
      return 'ifModifiedSince';
    case 'if-none-match':
      return 'ifNoneMatch';
    case 'origin':
      return 'origin';
    case 'authorization':
      return 'authorization';
    default:
      return undefined;
  }
}

function refusal(lowerName: string, value: string, seen: ReadonlySet<string>): Reason | undefined {
  switch (lowerName) {
    case 'host':
      return seen.has('host') || !validHost.test(value) ? 'headers' : undefined;
    case 'expect':
    case 'upgrade':
      return 'headers';
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

/**
 * Go closes when any Connection line lists `close` between commas, or when its first line has it between blanks
 * (net/http shouldClose and hasToken).
 */
function asksClose(value: string, isFirst: boolean): boolean {
  const separators = isFirst ? /[ \t,]/ : /,/;
  return value.split(separators).some((token) => token.trim().toLowerCase() === 'close');
}
