/**
 * The line of every key of a TOML document that has already been parsed without error: the parser tells no
 * positions. Paths are joined with dots; tables of an array are numbered from 0. Keys inside an inline table or
 * array carry the line of the key that they belong to (`lineOf` walks up).
 */
export type KeyLines = ReadonlyMap<string, number>;

export function keyLines(toml: string): KeyLines {
  return new Scanner(toml).scan();
}

/** The line of the path, or of its nearest parent that has one. */
export function lineOf(lines: KeyLines, path: readonly string[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const line = lines.get(path.slice(0, length).join('.'));
    if (line !== undefined) return line;
  }
  return undefined;
}

class Scanner {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  readonly #arrayLengths = new Map<string, number>();
  #at = 0;
  #line = 1;
  #table: readonly string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  scan(): KeyLines {
    while (this.#at < this.#text.length) {
      this.#skipBlank();
      const character = this.#text[this.#at];
      if (character === undefined) break;
      if (character === '\n' || character === '\r') this.#step();
      else if (character === '#') this.#skipComment();
      else if (character === '[') this.#header();
      else this.#keyAndValue();
    }
    return this.#lines;
  }

  #header(): void {
    const isArray = this.#text[this.#at + 1] === '[';
    this.#step(isArray ? 2 : 1);
    const keys = this.#keys();
    this.#step(isArray ? 2 : 1);
    const table = this.#numbered(isArray ? keys.slice(0, -1) : keys);
    if (isArray) {
      const array = [...table, keys.at(-1) ?? ''];
      const index = this.#arrayLengths.get(array.join('.')) ?? 0;
      this.#arrayLengths.set(array.join('.'), index + 1);
      this.#table = [...array, String(index)];
    } else {
      this.#table = table;
    }
    this.#remember(this.#table, this.#line);
  }

  /** A table under an array of tables belongs to the array's last entry. */
  #numbered(keys: readonly string[]): string[] {
    const path: string[] = [];
    for (const key of keys) {
      path.push(key);
      const length = this.#arrayLengths.get(path.join('.'));
      if (length !== undefined) path.push(String(length - 1));
    }
    return path;
  }

  #keyAndValue(): void {
    const line = this.#line;
    const path = [...this.#table, ...this.#keys()];
    for (let length = this.#table.length + 1; length <= path.length; length += 1) {
      this.#remember(path.slice(0, length), line);
    }
    this.#skipValue();
  }

  /** Reads `a . "b".c` up to `=` or `]`; leaves the position on `]`, or past `=`. */
  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      this.#skipBlank();
      const character = this.#text[this.#at];
      if (character === undefined || character === ']') return keys;
      if (character === '=') {
        this.#step();
        return keys;
      }
      if (character === '.') this.#step();
      else if (character === '"' || character === "'") keys.push(this.#skipString());
      else keys.push(this.#bareKey());
    }
  }

  #bareKey(): string {
    const begin = this.#at;
    while (/[A-Za-z0-9_-]/.test(this.#text[this.#at] ?? '')) this.#step();
    if (this.#at === begin) this.#step();
    return this.#text.slice(begin, this.#at);
  }

  /** To the end of the line on which all brackets are closed. */
  #skipValue(): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at];
      if (character === '\n' && depth === 0) return;
      if (character === '"' || character === "'") {
        this.#skipString();
      } else if (character === '#') {
        this.#skipComment();
      } else {
        if (character === '[' || character === '{') depth += 1;
        if (character === ']' || character === '}') depth -= 1;
        this.#step();
      }
    }
  }

  /** Returns what stands between the quotes; escapes are left as they are. */
  #skipString(): string {
    const quote = this.#text[this.#at] as string;
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at);
    const close = isLong ? quote.repeat(3) : quote;
    this.#step(close.length);
    const begin = this.#at;
    while (this.#at < this.#text.length && !this.#text.startsWith(close, this.#at)) {
      this.#step(quote === '"' && this.#text[this.#at] === '\\' ? 2 : 1);
    }
    const content = this.#text.slice(begin, this.#at);
    this.#step(close.length);
    // A long string may end in up to two quotes of its own.
    while (isLong && this.#text[this.#at] === quote) this.#step();
    return content;
  }

  #skipComment(): void {
    while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') this.#step();
  }

  #skipBlank(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#step();
  }

  #step(count = 1): void {
    for (let done = 0; done < count; done += 1) {
      if (this.#text[this.#at] === '\n') this.#line += 1;
      this.#at += 1;
    }
  }

  #remember(path: readonly string[], line: number): void {
    const key = path.join('.');
    if (!this.#lines.has(key)) this.#lines.set(key, line);
  }
}
