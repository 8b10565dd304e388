/** Explains a TOML parser's error: the mistake, in words of the person who wrote the line. */
import { keyLines } from './key-lines.ts';

/** Where the parser stopped, both from 1, and its own words. */
export interface ParserComplaint {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `line` and `column` are where the mistake was made: often before the place where the parser saw it. */
export function explainSlip(toml: string, complaint: ParserComplaint): ParserComplaint {
  if (/^\ufffd\ufffd/.test(toml) || toml.slice(0, 64).includes('\0')) {
    return { ...complaint, message: 'the file is not UTF-8 (UTF-16, maybe): save it as UTF-8' };
  }
  const place = new Place(toml, complaint);
  const { message } = complaint;
  for (const [said, explain] of explanations) {
    if (!message.includes(said)) continue;
    return { ...complaint, ...explain(place) };
  }
  return complaint;
}

type Explanation = Partial<ParserComplaint> | undefined;

const explanations: readonly (readonly [said: string, explain: (place: Place) => Explanation])[] = [
  ['control characters', unclosedOrControl],
  ['unfinished string', unclosedText],
  ['escape', escapeSequence],
  ['numeric literal', wrongValue],
  ['leading zero', wrongValue],
  ['invalid value', wrongValue],
  ['in key', wrongKey],
  ['incomplete key-value', wrongKey],
  ['redefine', definedTwice],
  ['followed by an end-of-line', trailing],
  ['end of structure', unclosedList],
  ['table array declaration', unclosedHeader],
];

/** The line that the parser complains of, taken apart where the explanations look. */
class Place {
  readonly lines: readonly string[];
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly toml: string;

  constructor(toml: string, { line, column }: ParserComplaint) {
    this.toml = toml;
    this.lines = toml.replace(/^\ufeff/, '').split(/\r?\n/);
    this.line = line;
    this.column = column;
    this.text = this.lines[line - 1] ?? '';
  }

  /** '' at the line's end. */
  get character(): string {
    return this.text[this.column - 1] ?? '';
  }

  get key(): string {
    return (/^\s*([^=\s]+)\s*=/.exec(this.text)?.[1] ?? '').trim();
  }

  /** After `=`, without a comment. */
  get value(): string {
    const value = /=\s*(.*)$/.exec(this.text)?.[1] ?? '';
    return value.replace(/\s+#.*$/, '').trim();
  }

  /** The word at the column, up to the next blank or comma. */
  get word(): string {
    const before = /[^\s,=[\]{}]*$/.exec(this.text.slice(0, this.column - 1))?.[0] ?? '';
    return before + (/^[^\s,[\]{}]*/.exec(this.text.slice(this.column - 1))?.[0] ?? '');
  }
}

function unclosedOrControl(place: Place): Explanation {
  const { character, line } = place;
  if (character === '' || character === '\r') {
    const at = openQuote(place.text);
    return at === undefined ? undefined : unclosed(line, at + 1, place.text[at] as string);
  }
  const code = codeOf(character);
  return {
    message: `a text holds the control character U+${code}: remove it, or write \\u${code}`,
  };
}

/** The parser tells where the text begins. */
function unclosedText({ line, column, text }: Place): Explanation {
  const rest = text.slice(column - 1);
  const quotes = /^("""|'''|"|')/.exec(rest)?.[0];
  return quotes === undefined ? undefined : unclosed(line, column, quotes);
}

function unclosed(line: number, column: number, quotes: string): Explanation {
  const message = `the text that begins in line ${line}, column ${column} is not closed: write ${quotes} at its end`;
  return { line, column, message };
}

/** Where the text begins that the end of `text` cuts off. */
function openQuote(text: string): number | undefined {
  let open: number | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (open === undefined) {
      if (character === '#') return undefined;
      if (character === '"' || character === "'") open = at;
    } else if (character === '\\' && text[open] === '"') {
      at += 1;
    } else if (character === text[open]) {
      open = undefined;
    }
  }
  return open;
}

function escapeSequence(): Explanation {
  return {
    message:
      'a backslash in "…" begins an escape: write \\\\ for a backslash, or put the text between \'…\'',
  };
}

function wrongValue(place: Place): Explanation {
  const { key, value } = place;
  if (key === '' || value.startsWith('#')) return undefined;
  if (value === '') return { message: `${key} has no value: write one after the =` };
  const isList = /^[[{]/.test(value) && !/^\[[\da-fA-F:.]+\]:\d+$/.test(value);
  return { message: valueMessage(isList ? place.word : value, isList ? '' : `${key} = `) };
}

function valueMessage(written: string, before: string): string {
  const [quote] = /[“”„‟‘’‚«»]/u.exec(written) ?? [];
  if (quote !== undefined) {
    return `${quote} (U+${codeOf(quote)}) is no quote of TOML: write "…" or '…'`;
  }
  if (/^(true|yes|on)$/i.test(written)) return `${written} is no value of TOML: write true`;
  if (/^(false|no|off)$/i.test(written)) {
    return `${written} is no value of TOML: write false, or "${written}" where a text is meant`;
  }
  if (/^(null|nil|none|undefined)$/i.test(written)) {
    return `TOML has no ${written}: leave the key out, or write "" where an empty text says "none"`;
  }
  if (/^[+-]?0\d+$/.test(written)) {
    return `a number has no leading zero: write ${Number(written)}, or "${written}" where a text is meant`;
  }
  if (/^\d{1,3}([,' ]\d{3})+$/.test(written)) {
    return `a number has no separators: write ${written.replace(/\D/g, '')}`;
  }
  const [odd] = oddBlank.exec(written) ?? [];
  if (odd !== undefined) return oddBlankMessage(odd);
  if (/["'\\]/.test(written)) return 'this is no value of TOML: a text stands between "…"';
  return `a text needs quotes: write ${before}"${written}"`;
}

/** Characters that look like a blank, or like nothing. */
const oddBlank = /[\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]/;

function oddBlankMessage(character: string): string {
  return `an invisible character (U+${codeOf(character)}) stands here: write a plain blank, or nothing`;
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

function wrongKey(place: Place): Explanation {
  const { text, character } = place;
  if (oddBlank.test(character)) return { message: oddBlankMessage(character) };
  if (/^\s*\{/.test(text)) return { message: 'this is JSON: TOML has [sections] and key = value' };
  if (/^\s*(\/\/|;|--|%|!)/.test(text)) return { message: 'a comment begins with #' };
  if (/^\s*\[/.test(text)) return unclosedHeader(place);
  const colon = /^\s*([\w.-]+)\s*:\s*(.*)$/.exec(text);
  if (colon !== null) {
    const [, key, value] = colon;
    const example = value === '' ? `a section is written [${key}]` : `write ${key} = …`;
    return { message: `a key and its value are joined by =, not by a colon: ${example}` };
  }
  const bare = /^\s*([\w.-]+)(?:\s+([^=]*))?$/.exec(text);
  if (bare !== null) {
    const [, key = '', value = ''] = bare;
    return { message: `= is missing: write ${key} = ${value.trim() === '' ? '…' : value.trim()}` };
  }
  return {
    message:
      'a key has letters, digits, _ and - only; the line is neither key = value, [section] nor # comment',
  };
}

function unclosedHeader({ text, line }: Place): Explanation {
  const [, brackets = '[', name = ''] = /^\s*(\[\[?)\s*([\w."'-]*)/.exec(text) ?? [];
  const column = text.indexOf('[') + 1;
  const close = brackets.replaceAll('[', ']');
  const message = `the section's name is not closed: write ${brackets}${name}${close}, alone in its line`;
  return { line, column, message };
}

/** Lines above have been parsed, so that their keys can be looked up. */
function definedTwice({ text, line, lines, key }: Place): Explanation {
  const above = lines.slice(0, line - 1);
  const header = /^\s*\[\[?\s*([^\]]+?)\s*\]/;
  const [, section] = header.exec(text) ?? [];
  const [, around] = header.exec(above.findLast((each) => header.test(each)) ?? '') ?? [];
  const path = section ?? (around === undefined ? key : `${around}.${key}`);
  const first = keyLines(above.join('\n')).get(path.replace(/["']/g, ''));
  const column = text.search(/\S/) + 1;
  const where = first === undefined ? '' : `, first in line ${first}`;
  if (section === undefined)
    return { column, message: `${key} is there twice${where}: remove one` };
  return {
    column,
    message: `[${section}] is there twice${where}: put all of its keys under one header (several tables of a list: [[…]] for each)`,
  };
}

function trailing({ text, line, column, character, value }: Place): Explanation {
  if (character === '\r') {
    return { message: 'the lines end with CR alone: save the file with LF, or CR LF' };
  }
  if (/^\s*\[/.test(text) && !text.slice(0, column - 1).includes('=')) {
    return { message: 'the header of a section stands alone in its line: begin a new line here' };
  }
  const swallowed = openQuote(text.slice(0, column - 2));
  if (swallowed !== undefined && /\s#/.test(text.slice(swallowed, column - 1))) {
    // The quote that closed it belongs to the comment.
    return unclosed(line, swallowed + 1, text[swallowed] as string);
  }
  if (/^[^"'[{]+["']/.test(value)) return { message: valueMessage(value, '') };
  const rest = text.slice(column - 1).trim();
  if (/^[;,]$/.test(rest)) return { message: `remove the ${rest}: a line ends without one` };
  if (/^[\w.-]+\s*=/.test(rest)) return { message: 'each key needs a line of its own' };
  const shown = rest.length > 20 ? `${rest.slice(0, 20)}…` : rest;
  return { message: `the value ends before this, and something follows it: ${shown}` };
}

function unclosedList(place: Place): Explanation {
  const { lines, line, character } = place;
  const begin = /^[^=#]*=\s*([[{])/;
  const first = lines.slice(0, line).findLastIndex((text) => begin.test(text));
  const found = begin.exec(lines[first] ?? '');
  if (found === null) return undefined;
  if (/["'[{\d]/.test(character)) {
    return { message: 'a comma is missing between this entry and the one before' };
  }
  const column = found[0].length;
  const [what, close] = found[1] === '[' ? ['list', ']'] : ['table', '}'];
  const message = `the ${what} that begins in line ${first + 1}, column ${column} is not closed: write ${close} at its end (or a comma between its entries)`;
  return { line: first + 1, column, message };
}
