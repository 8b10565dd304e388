/** Where a read token comes from (specification 11.1): query, then Authorization, then the HTTP cookie `AT`. */

export interface TokenSources {
  /** The query's `jwt`; '' if there is none. */
  readonly jwt: string;
  /** First Authorization value; '' if there is none. */
  readonly authorization: string;
  /** Every Cookie line, in order. */
  readonly cookieLines: readonly string[];
}

/** undefined: none that the volume server would look at. */
export function findToken({ jwt, authorization, cookieLines }: TokenSources): string | undefined {
  if (jwt !== '') return jwt;
  if (authorization.length > 7 && authorization.slice(0, 6).toLowerCase() === 'bearer') {
    return authorization.slice(7);
  }
  for (const line of cookieLines) {
    const value = accessCookie(line);
    if (value !== undefined) return value === '' ? undefined : value;
  }
  return undefined;
}

/** The first `AT` of the line with a valid value (Go's readCookies). */
function accessCookie(line: string): string | undefined {
  for (const part of line.split(';')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    if (trimBlanks(name) !== 'AT') continue;
    const value = unquote(equals < 0 ? '' : trimEnd(part.slice(equals + 1)));
    if (/^[\x20-\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(value)) return value;
  }
  return undefined;
}

function unquote(value: string): string {
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return isQuoted ? value.slice(1, -1) : value;
}

function trimBlanks(text: string): string {
  let start = 0;
  while (start < text.length && isBlank(text, start)) start += 1;
  return trimEnd(text.slice(start));
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text, end - 1)) end -= 1;
  return text.slice(0, end);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === ' ' || text[index] === '\t';
}
