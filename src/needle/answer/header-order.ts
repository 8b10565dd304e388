/** A response head as Go's net/http writes it: handler headers sorted by canonical name, then its own (specification 5.1). */

/** Go's textproto.CanonicalMIMEHeaderKey: what is no header name stays as it is. */
export function canonicalHeaderName(name: string): string {
  if (!canonicalizable.test(name)) return name;
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

const canonicalizable = /^[0-9A-Za-z!#$%&'*+\-.^_`|~]+$/;

export function isHeaderName(name: string): boolean {
  return canonicalizable.test(name);
}

/** Headers that net/http adds behind the handler's headers, in this order, only where it is set. */
export interface AddedHeaders {
  readonly date: string;
  readonly contentLength?: number | undefined;
  readonly contentType?: string | undefined;
  readonly close: boolean;
  /** The client speaks HTTP/1.0. */
  readonly http10?: boolean;
}

export interface HeadParts {
  /** For example "200 OK". */
  readonly status: string;
  /** Headers by canonical name; values may hold any byte. */
  readonly headers: ReadonlyMap<string, string>;
  readonly added: AddedHeaders;
}

/** Status line to blank line, latin1. */
export function formatHead({ status, headers, added }: HeadParts): string {
  const http10 = added.http10 === true;
  let head = `${statusLineStart(http10)}${status}\r\n`;
  for (const name of [...headers.keys()].sort()) {
    head += `${name}: ${cleanValue(headers.get(name) as string)}\r\n`;
  }
  head += `Date: ${added.date}\r\n`;
  if (added.contentLength !== undefined) head += `Content-Length: ${added.contentLength}\r\n`;
  if (added.contentType !== undefined) head += `Content-Type: ${added.contentType}\r\n`;
  return `${head}${connectionLine(http10, added.close)}\r\n`;
}

/** Line ends become blanks, and blanks around are cut: nothing else is touched. */
function cleanValue(value: string): string {
  if (!/[\r\n]|^[ \t]|[ \t]$/.test(value)) return value;
  const line = value.replace(/[\r\n]/g, ' ');
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line, start)) start += 1;
  while (end > start && isBlank(line, end - 1)) end -= 1;
  return line.slice(start, end);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === ' ' || text[index] === '\t';
}

// An answer to HTTP/1.0 differs from one to HTTP/1.1 in two places (specification section 12).

export function statusLineStart(http10: boolean): string {
  return http10 ? 'HTTP/1.0 ' : 'HTTP/1.1 ';
}

/** Each version's own exception is said: that the connection ends, or that it stays. '' says what is usual. */
export function connectionLine(http10: boolean, close: boolean): string {
  if (close) return http10 ? '' : 'Connection: close\r\n';
  return http10 ? 'Connection: keep-alive\r\n' : '';
}
