/** Splits TypeScript, JavaScript and C++ source into comments and strings, without a parser for each language. */

export interface SourceText {
  readonly kind: 'comment' | 'string';
  /** A comment's words without its marks, or the characters between a string's quotes. */
  readonly text: string;
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** Character offsets in the source, marks and quotes included. */
  readonly start: number;
  readonly end: number;
}

/** One alternative a kind of token. A regular expression begins only where no value can have ended. */
const tokens =
  /(?<block>\/\*[\s\S]*?\*\/)|(?<lines>\/\/[^\n]*)|(?<raw>\bR"(?<mark>[^(\s]*)\([\s\S]*?\)\k<mark>")|(?<quoted>"(?:\\[\s\S]|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\[\s\S]|[^'\\\n])*')|(?<template>`(?:\\[\s\S]|[^`\\])*`)|(?<pattern>(?<=(?:[=(,:;!&|?{}[>+]|\breturn)\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/)/g;

/** Lists comments and strings in their order; a run of `//` lines of their own is one comment. */
export function textsOf(source: string): readonly SourceText[] {
  const texts: SourceText[] = [];
  for (const match of source.matchAll(tokens)) {
    const { block, lines, raw, quoted, template } = match.groups ?? {};
    const start = match.index;
    const line = source.slice(0, start).split('\n').length;
    const end = start + match[0].length;
    if (block !== undefined) {
      texts.push({ kind: 'comment', text: wordsOf(block), line, start, end });
    } else if (lines !== undefined) {
      const before = texts.at(-1);
      if (before !== undefined && isContinued(source, before, start)) {
        texts[texts.length - 1] = { ...before, text: `${before.text}\n${wordsOf(lines)}`, end };
      } else texts.push({ kind: 'comment', text: wordsOf(lines), line, start, end });
    } else {
      const string = raw ?? quoted ?? template;
      if (string !== undefined) {
        texts.push({ kind: 'string', text: string.slice(1, -1), line, start, end });
      }
    }
  }
  return texts;
}

/** A run goes on with the same mark in the same column, also behind code. */
function isContinued(source: string, before: SourceText, start: number): boolean {
  const mark = source.startsWith('///', start) ? '///' : '//';
  return (
    before.kind === 'comment' &&
    /^\n[ \t]*$/.test(source.slice(before.end, start)) &&
    columnOf(source, before.start) === columnOf(source, start) &&
    source.startsWith(mark, before.start) &&
    source.startsWith('///', before.start) === (mark === '///')
  );
}

function columnOf(source: string, at: number): number {
  return at - source.lastIndexOf('\n', at - 1);
}

function wordsOf(comment: string): string {
  return comment
    .replace(/^\/\*+|\*+\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*(?:\/\/[/!]?<?|\*(?!\*))?\s?/, '').trimEnd())
    .join('\n')
    .trim();
}
