/**
 * Output of the tools. Names, types and answers are other people's: nothing of them reaches a terminal as a command.
 */

/**
 * Controls, line and paragraph separators, characters that turn the direction of text around, and those without a width:
 * two names that differ in them alone would look the same. Some of these are no format characters to Unicode.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * A stored text as a person may see it, on one line: what would not be seen is written as JSON does, \u001b. Idempotent.
 */
export function visible(text: string): string {
  return text.replace(unseen, escaped);
}

/** Writes a character beyond 16 bits in two halves, since JSON knows no longer escape: a printed answer stays JSON. */
function escaped(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** Keeps line ends and tabs, which are our own. */
export function visibleLines(text: string): string {
  return text.replace(unseen, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));
}

/**
 * Prepares a line of JSON to be shown as text: escapes in its strings stay, so that a stranger's text adds no line to
 * the log. A stack keeps its line ends.
 */
export function visibleJson(line: string): string {
  const quoted = /\\(?:\\|n(?! {4}at )|[rtbf]|u[0-9a-f]{4})/g;
  return visibleLines(line).replace(quoted, (part) => (part === '\\\\' ? part : `\\${part}`));
}

/** Applies `visible` to every text in a value. */
export function visibleValues<T>(value: T): T {
  if (typeof value === 'string') return visible(value) as T;
  if (Array.isArray(value)) return value.map(visibleValues) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [visible(key), visibleValues(each)]);
  return Object.fromEntries(entries) as T;
}

const colour = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`);

/** Works like `visible`, but keeps colours. A tool adds them after it has made other people's text `visible`. */
export function visibleStyled(line: string): string {
  const parts = line.split(colour);
  return parts.map((part, index) => (index % 2 === 1 ? part : visible(part))).join('');
}

export function print(line: string): void {
  process.stdout.write(`${visibleLines(line)}\n`);
}

/** With the colours of the tool's own. */
export function printStyled(line: string): void {
  process.stdout.write(`${visibleStyled(line)}\n`);
}

/** Bigints as decimal strings: ids of 64 bits do not fit a JSON number. */
export function printJson(value: unknown): void {
  print(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? member.toString() : member,
    ),
  );
}

/** Progress and warnings; stdout carries the result alone. */
export function note(line: string): void {
  process.stderr.write(`${visibleLines(line)}\n`);
}

/** With the colours of the tool's own. */
export function noteStyled(line: string): void {
  process.stderr.write(`${visibleStyled(line)}\n`);
}

/** `seaweed-rdma read … | head` is no failure. */
export function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
