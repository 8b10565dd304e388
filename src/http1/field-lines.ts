/** Header lines as text, and as a flat list: name, value, name, value, …. Latin1. Pure. */

/** Formats header or trailer lines, without the blank one. */
export function fieldLines(rawHeaders: readonly string[]): string {
  let lines = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    lines += `${rawHeaders[i] as string}: ${rawHeaders[i + 1] as string}\r\n`;
  }
  return lines;
}

/** Ends a chunked body. @param rawTrailers flat */
export function lastChunk(rawTrailers: readonly string[]): string {
  return `0\r\n${fieldLines(rawTrailers)}\r\n`;
}

/** The other way round, up to the blank line or the end; values without the blanks around them. */
export function splitFields(text: string): string[] {
  const rawHeaders: string[] = [];
  let at = 0;
  while (at < text.length && text.charCodeAt(at) !== 0x0d) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r', colon);
    rawHeaders.push(text.slice(at, colon), trimBlanks(text, colon + 1, lineEnd));
    at = lineEnd + 2;
  }
  return rawHeaders;
}

/** The characters from `from` to `to`, exclusive. Not `trim`: 0xa0 is a byte of a name. */
export function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
