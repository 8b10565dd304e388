/** Keys → the file that says the same. */
import { stringify } from 'smol-toml';
import type { EffectiveKey } from './effective-keys.ts';
import { isTable } from './field.ts';

/** Each key with its origin as a comment. */
export function writeToml(title: string, keys: readonly EffectiveKey[]): string {
  const sections = Map.groupBy(keys, ({ key }) => key.slice(0, key.indexOf('.')));
  const parts = [...sections].map(([section, rows]) => {
    const isPlain = (row: EffectiveKey): boolean => !isTables(row.value);
    const lines = rows.filter(isPlain).map((row) => line(nameOf(row), row.value, row.from));
    const tables = rows.filter((row) => !isPlain(row)).flatMap(tablesOf);
    return [`[${section}]`, ...aligned(lines), ...tables].join('\n');
  });
  return [`# ${title}`, ...parts].join('\n\n');
}

/** Lists of strings are values; lists and maps of tables stand by themselves. */
function isTables(value: unknown): boolean {
  return isTable(value) || (Array.isArray(value) && value.some(isTable));
}

function tablesOf({ key, value, from }: EffectiveKey): string[] {
  const named: [header: string, table: unknown][] = Array.isArray(value)
    ? value.map((table) => [`[[${key}]]`, table])
    : Object.entries(value as object).map(([name, table]) => [`[${key}.${quoted(name)}]`, table]);
  return named.flatMap(([header, table]) => [
    '',
    `${header}  # ${comment(from)}`,
    ...Object.entries(table as object).map(([name, cell]) => line(name, cell, '').text),
  ]);
}

interface Line {
  readonly text: string;
  readonly from: string;
}

function line(name: string, value: unknown, from: string): Line {
  return { text: stringify({ [name]: value }).trimEnd(), from };
}

function aligned(lines: readonly Line[]): string[] {
  const width = Math.min(48, Math.max(0, ...lines.map(({ text }) => text.length)));
  return lines.map(({ text, from }) => `${text.padEnd(width)}  # ${comment(from)}`);
}

function nameOf({ key }: EffectiveKey): string {
  return key.slice(key.indexOf('.') + 1);
}

/** Writes a name as a key of TOML. */
function quoted(name: string): string {
  return stringify({ [name]: 0 }).replace(/ = 0\n?$/, '');
}

/** A file's name may hold anything, a comment no line end. */
function comment(from: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not stay
  return from.replace(/[\u0000-\u001f\u007f]/g, '?');
}
