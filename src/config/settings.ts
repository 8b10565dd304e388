/** A configuration file and the environment's overrides, read by a schema. */
import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { readEnvironment } from './environment.ts';
import { type Field, isTable, type Report, readFields, type Schema, unknownKey } from './field.ts';
import { fileReason } from './file-reason.ts';
import { type KeyLines, keyLines, lineOf } from './key-lines.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { explainSlip } from './toml-slip.ts';

/** Where one value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly source: string; readonly line: number | undefined }
  | { readonly kind: 'environment'; readonly source: string };

/** Collects what is wrong, and knows where each key was written. */
export class Problems {
  readonly #file: string;
  readonly #lines: KeyLines;
  readonly #variables: ReadonlyMap<string, string>;
  readonly #document: Readonly<Record<string, unknown>>;
  readonly #found: ConfigProblem[] = [];
  /** Worth a line in the log, no reason not to start. */
  readonly warnings: string[] = [];

  constructor(
    file: string,
    lines: KeyLines,
    variables: ReadonlyMap<string, string>,
    document: Readonly<Record<string, unknown>> = {},
  ) {
    this.#file = file;
    this.#lines = lines;
    this.#variables = variables;
    this.#document = document;
  }

  /** `key` is dotted. Of several things wrong with one key the first is kept: the others may follow from it. */
  add(key: string, message: string): void {
    if (this.#found.some((problem) => problem.key === key)) return;
    const origin = this.originOf(key);
    this.#found.push({
      source: origin.kind === 'environment' ? origin.source : this.#file,
      line: origin.kind === 'environment' ? undefined : lineOf(this.#lines, key.split('.')),
      key,
      message,
    });
  }

  addVariable(variable: string, message: string): void {
    this.#found.push({ source: variable, line: undefined, key: '', message });
  }

  originOf(key: string): Origin {
    const variable = this.#variables.get(key);
    if (variable !== undefined) return { kind: 'environment', source: variable };
    const path = key.split('.');
    if (valueAt(this.#document, path) === undefined) return { kind: 'default' };
    const line = firstLineBelow(this.#lines, key) ?? lineOf(this.#lines, path);
    return { kind: 'file', source: this.#file, line };
  }

  /** Written in the file or set in the environment. */
  isGiven(key: string): boolean {
    return this.originOf(key).kind !== 'default';
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return;
    const byLine = (a: ConfigProblem, b: ConfigProblem): number => (a.line ?? 0) - (b.line ?? 0);
    throw new ConfigError(this.#found.toSorted(byLine));
  }
}

export interface ReadSettings<T> {
  /** Defaults stand in for what `problems` names. */
  readonly settings: T;
  readonly problems: Problems;
  /** Section → key → value as written in the file or the environment. */
  readonly written: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** A path; a text that was read elsewhere, with the name to report; undefined: defaults and environment only. */
export type ConfigSource = string | { readonly name: string; readonly text: string } | undefined;

/** The source's name in reports; undefined: there is no file. */
export function nameOfSource(source: ConfigSource): string | undefined {
  return typeof source === 'object' ? source.name : source;
}

/** @throws ConfigError when the file cannot be read or parsed. */
export function readSettings<T>(
  schema: Schema<T>,
  source: ConfigSource,
  environment: NodeJS.ProcessEnv,
): ReadSettings<T> {
  const file = nameOfSource(source);
  const toml = textOfSource(source);
  const document = parseToml(toml, file ?? '');
  const sections = Object.entries(schema) as [keyof T & string, Record<string, Field<unknown>>][];
  const overrides = readEnvironment(schema as Schema<Record<string, object>>, environment);
  const problems = new Problems(
    file ?? '(defaults)',
    keyLines(toml),
    overrides.variables,
    document,
  );
  for (const wrong of overrides.wrong) problems.addVariable(wrong.variable, wrong.message);

  const names = sections.map(([name]) => name);
  for (const name of Object.keys(document)) {
    if (!names.includes(name as keyof T & string)) problems.add(name, unknownKey(name, names));
  }
  const settings: Partial<Record<string, unknown>> = {};
  const writtenTables = new Map<string, Readonly<Record<string, unknown>>>();
  for (const [name, fields] of sections) {
    const written = Object.hasOwn(document, name) ? document[name] : {};
    if (!isTable(written)) problems.add(name, `expected a table [${name}]`);
    const table = { ...(isTable(written) ? written : {}), ...overrides.values.get(name) };
    const report: Report = (path, message) => {
      problems.add([name, ...path].join('.'), elsewhere(message, path, name, schema));
    };
    settings[name] = readFields(fields, table, report);
    writtenTables.set(name, table);
  }
  return { settings: settings as T, problems, written: writtenTables };
}

/** A key that is right in another section is the likeliest mistake of all. */
function elsewhere<T>(
  message: string,
  path: readonly string[],
  section: string,
  schema: Schema<T>,
): string {
  if (path.length !== 1 || !message.startsWith('unknown key')) return message;
  for (const [name, fields] of Object.entries(schema) as [
    string,
    Record<string, Field<unknown>>,
  ][]) {
    const found = Object.values(fields).some((field) => field.key === path[0]);
    if (found && name !== section)
      return `unknown key; the nearest valid one is "${name}.${path[0]}"`;
  }
  return message;
}

/** Finds the line of `key` itself, or of the first table below it. */
function firstLineBelow(lines: KeyLines, key: string): number | undefined {
  const exact = lines.get(key);
  if (exact !== undefined) return exact;
  for (const [path, line] of lines) if (path.startsWith(`${key}.`)) return line;
  return undefined;
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

export function textOfSource(source: ConfigSource): string {
  if (source === undefined) return '';
  return typeof source === 'object' ? source.text : readText(source);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([
      {
        source: file,
        line: undefined,
        key: '',
        message: `cannot be read: ${fileReason(file, error)}`,
      },
    ]);
  }
}

function parseToml(toml: string, file: string): Record<string, unknown> {
  try {
    return parse(toml, { unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = (error.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '');
    const slip = explainSlip(toml, { line: error.line, column: error.column, message });
    throw new ConfigError([
      { source: file, key: '', ...slip, message: `not TOML: ${slip.message}` },
    ]);
  }
}
