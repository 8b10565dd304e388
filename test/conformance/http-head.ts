/** Just enough of HTTP/1.0 and 1.1 for the stub to tell one well-formed request on a connection from the next. */

export interface ParsedRequest {
  readonly method: string;
  readonly target: string;
  readonly http10: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Head and body. */
  readonly bytes: number;
}

export type HeadState =
  | { readonly kind: 'request'; readonly request: ParsedRequest }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed' };

const linePattern = /^([!-~]+) ([!-\xff]+) HTTP\/1\.([01])$/;
const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/s;

export function parseRequest(bytes: Buffer): HeadState {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return { kind: 'incomplete' };
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const line = linePattern.exec(first);
  if (line === null) return { kind: 'malformed' };
  const headers: (readonly [string, string])[] = [];
  for (const text of lines) {
    const header = headerPattern.exec(text);
    if (header === null) return { kind: 'malformed' };
    headers.push([header[1] as string, header[2] as string]);
  }
  const body = bodyBytes(bytes, end + 4, headers);
  if (body === 'incomplete' || body === 'malformed') return { kind: body };
  const [, method = '', target = '', minor] = line;
  const request = { method, target, http10: minor === '0', headers };
  return { kind: 'request', request: { ...request, bytes: end + 4 + body } };
}

export function headerOf(request: ParsedRequest, lowerName: string): string | undefined {
  return request.headers.find(([name]) => name.toLowerCase() === lowerName)?.[1];
}

function bodyBytes(
  bytes: Buffer,
  start: number,
  headers: readonly (readonly [string, string])[],
): number | 'incomplete' | 'malformed' {
  const values = (lower: string): string[] =>
    headers.filter(([name]) => name.toLowerCase() === lower).map(([, value]) => value);
  if (values('transfer-encoding').some((value) => value.toLowerCase() === 'chunked')) {
    const end = bytes.indexOf('0\r\n\r\n', start);
    return end === -1 ? 'incomplete' : end + 5 - start;
  }
  const [length] = values('content-length');
  if (length === undefined) return 0;
  if (!/^\d{1,9}$/.test(length)) return 'malformed';
  // The real server answers such a request before its body came.
  if (values('expect').length > 0) return Math.min(Number(length), bytes.length - start);
  return bytes.length - start < Number(length) ? 'incomplete' : Number(length);
}
