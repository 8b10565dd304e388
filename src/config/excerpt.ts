/** The line that a problem is about, with a mark under what is wrong, as compilers show it. */
import type { ConfigProblem } from './problem.ts';

/** Two lines; none where no line of the text says it. `show` writes what a terminal would obey as what it shows. */
export function excerptOf(
  toml: string,
  problem: ConfigProblem,
  show: (text: string) => string,
): readonly string[] {
  const { line } = problem;
  const text = line === undefined ? undefined : toml.split(/\r?\n/)[line - 1];
  if (line === undefined || text === undefined || text.trim() === '') return [];
  const { start, end } = spanOf(text, problem);
  const number = String(line);
  // Tabs stay tabs: the mark must stand under the character whatever their width.
  const blank = show(text.slice(0, start)).replace(/[^\t]/g, ' ');
  const mark = '^'.repeat(Math.max(1, show(text.slice(start, end)).length));
  return [` ${number} | ${show(text)}`, ` ${' '.repeat(number.length)} | ${blank}${mark}`];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function spanOf(text: string, { key, message, column }: ConfigProblem): Span {
  if (column !== undefined) return { start: column - 1, end: column };
  const name = key.split('.').findLast((part) => !/^\d+$/.test(part)) ?? '';
  const at = keyAt(text, name);
  if (at === undefined) return wholeLine(text);
  const isAboutKey = message.startsWith('unknown key') || /^\s*\[/.test(text);
  return isAboutKey
    ? { start: at, end: at + name.length }
    : (valueAfter(text, at) ?? wholeLine(text));
}

/** Where the name stands by itself. */
function keyAt(text: string, name: string): number | undefined {
  if (name === '') return undefined;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = `${text[at - 1] ?? ' '}${text[at + name.length] ?? ' '}`;
    if (!/[\w-]/.test(around)) return at;
  }
  return undefined;
}

const value = /=\s*("(?:\\.|[^"\\])*"|'[^']*'|[^#]*)/g;

function valueAfter(text: string, at: number): Span | undefined {
  value.lastIndex = at;
  const found = value.exec(text);
  const written = found?.[1]?.trimEnd() ?? '';
  if (found === null || written === '') return undefined;
  const start = found.index + found[0].indexOf(written, 1);
  return { start, end: start + written.length };
}

function wholeLine(text: string): Span {
  return { start: text.search(/\S/), end: text.trimEnd().length };
}
