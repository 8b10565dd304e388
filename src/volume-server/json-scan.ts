/**
 * Finds the ends of JSON values in bytes without parsing them, so that a long text can be parsed in pieces. Tells what
 * is inside strings and brackets, and nothing else: JSON.parse judges the pieces.
 */
const quote = 0x22;
export const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const leftBracket = 0x5b;
export const rightBracket = 0x5d;
const leftBrace = 0x7b;
const rightBrace = 0x7d;

/** Returns the place of the comma or closing bracket behind the value at `from`; undefined: none before `to`. */
export function valueEnd(text: Buffer, from: number, to: number): number | undefined {
  const end = Math.min(to, text.length);
  let depth = 0;
  for (let at = from; at < end; at += 1) {
    const byte = text[at];
    if (byte === quote) {
      at = stringEnd(text, at, end);
    } else if (byte === leftBrace || byte === leftBracket) {
      depth += 1;
    } else if (byte === rightBrace || byte === rightBracket) {
      if (depth === 0) return at;
      depth -= 1;
    } else if (byte === comma && depth === 0) {
      return at;
    }
  }
  return undefined;
}

/** Returns the first place inside the list that the object `text` holds under `key`; undefined: none before `to`. */
export function listBegin(text: Buffer, key: string, to: number): number | undefined {
  const end = Math.min(to, text.length);
  let depth = 0;
  for (let at = 0; at < end; at += 1) {
    const byte = text[at];
    if (byte === quote) {
      const begin = at;
      at = stringEnd(text, at, end);
      if (depth !== 1 || text.toString('latin1', begin + 1, at) !== key) continue;
      const colonAt = afterSpace(text, at + 1);
      const listAt = afterSpace(text, colonAt + 1);
      if (text[colonAt] === colon && text[listAt] === leftBracket) return listAt + 1;
    } else if (byte === leftBrace || byte === leftBracket) {
      depth += 1;
    } else if (byte === rightBrace || byte === rightBracket) {
      depth -= 1;
    }
  }
  return undefined;
}

/** Returns the place of the quote that ends the string, or one at or behind `end`. */
function stringEnd(text: Buffer, begin: number, end: number): number {
  let at = begin + 1;
  while (at < end && text[at] !== quote) at += text[at] === backslash ? 2 : 1;
  return at;
}

function afterSpace(text: Buffer, from: number): number {
  let at = from;
  while (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at += 1;
  return at;
}
