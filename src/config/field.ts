/**
 * One key of a configuration file: its name, its default, what it takes. The tables made of these are the single
 * source for parsing, defaults, messages, `config check` and the documentation's test.
 */
import {
  hostPattern,
  hostPortPattern,
  httpOriginPattern,
  isHost,
  type ListenAddress,
  listenPattern,
  parseHostPort,
  parseHttpOrigin,
  parseListen,
} from './address.ts';
import { nearestKey } from './nearest-key.ts';
import {
  durationPattern,
  formatDuration,
  formatSize,
  parseDurationMs,
  parseSize,
  sizePattern,
} from './units.ts';
import {
  addressHint,
  choiceHint,
  durationHint,
  flagHint,
  type Hint,
  hostHint,
  integerHint,
  listenHint,
  listHint,
  sizeHint,
  urlHint,
} from './value-hints.ts';

export type FieldSchema = Readonly<Record<string, unknown>>;

/** Says what is wrong below the key itself (`path` empty: with its own value). */
export type Report = (path: readonly string[], message: string) => void;

export interface Field<T> {
  /** The key as in the file. */
  readonly key: string;
  readonly kind: 'string' | 'strings' | 'boolean' | 'integer' | 'list' | 'tables';
  /** The default as the file would write it; undefined: none, the key may be left out. */
  readonly initial:
    | string
    | boolean
    | number
    | readonly string[]
    | Readonly<Record<string, never>>
    | undefined;
  /** JSON Schema (draft-07) of the value; it accepts everything that `parse` takes. For kind tables, see `columns`. */
  readonly schema: FieldSchema;
  /** The range of a size or time, which JSON Schema cannot express. */
  readonly hint?: string;
  /** Columns of each table, for kind tables. */
  readonly columns?: Fields<object>;
  /** `raw` is the file's value. Reports and returns undefined when it cannot be taken. */
  parse(raw: unknown, report: Report): T | undefined;
}

/** One field for each property of T. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** One section for each property of T; the property's name is the section's. */
export type Schema<T> = { readonly [K in keyof T]-?: Fields<T[K]> };

export function text(key: string, initial: string): Field<string> {
  return stringField(key, initial, { expects: 'a string', convert: (value) => value }, {});
}

const ucxNamesPattern = /^[ -~]*$/;

export function areUcxNames(value: string): boolean {
  return ucxNamesPattern.test(value);
}

/** A value that UCX gets as it is, and writes to stderr as it is where it does not know it. */
export function ucxNames(key: string, initial: string): Field<string> {
  const convert = (value: string): string | undefined => (areUcxNames(value) ? value : undefined);
  const expects = 'names that UCX knows, with a comma between them';
  return stringField(key, initial, { expects, convert }, { pattern: ucxNamesPattern.source });
}

export function choice<T extends string>(key: string, initial: T, choices: readonly T[]): Field<T> {
  const expects = `one of ${choices.map((name) => `"${name}"`).join(', ')}`;
  const convert = (value: string): T | undefined => choices.find((name) => name === value);
  const guess = choiceHint(choices);
  return stringField(key, initial, { expects, convert, guess }, { enum: choices });
}

/** In bytes. A number of TOML is taken as well as a text: both say bytes where there is no unit. */
export function size(key: string, initial: string, range: Partial<Range> = {}): Field<number> {
  const expects =
    'a size such as "64MiB" (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB; a plain number is bytes)';
  const field = stringField(key, initial, { expects, convert: parseSize, guess: sizeHint }, {});
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  const schema = {
    type: ['string', 'integer'],
    pattern: sizePattern,
    minimum: min,
    maximum: max,
    examples: ['64MiB', '1GB'],
  };
  const parse = (raw: unknown, report: Report): number | undefined =>
    Number.isSafeInteger(raw) && (raw as number) >= 0 ? (raw as number) : field.parse(raw, report);
  return ranged({ ...field, schema, parse }, 'bytes', range, formatSize);
}

/** In milliseconds. */
export function duration(key: string, initial: string, range: Partial<Range> = {}): Field<number> {
  const expects = 'a time with its unit, such as "250us" (us, ms, s, m, h)';
  const schema = { pattern: durationPattern, examples: ['250us', '2s'] };
  const expected = { expects, convert: parseDurationMs, guess: durationHint };
  const field = stringField(key, initial, expected, schema);
  return ranged(field, 'ms', range, formatDuration);
}

export function hostPort(key: string, initial: string): Field<string> {
  const convert = (value: string): string | undefined =>
    parseHostPort(value) === undefined ? undefined : value;
  const expects = 'host:port, such as "127.0.0.1:18515"';
  return stringField(
    key,
    initial,
    { expects, convert, guess: addressHint },
    {
      pattern: hostPortPattern,
      examples: ['127.0.0.1:18515'],
    },
  );
}

/** `''` says that there is none. */
export function hostPortOrNone(key: string): Field<string> {
  const address = hostPort(key, '');
  return {
    ...address,
    schema: { anyOf: [address.schema, { const: '' }] },
    parse: (raw, report) => (raw === '' ? '' : address.parse(raw, report)),
  };
}

export function host(key: string, initial: string): Field<string> {
  const convert = (value: string): string | undefined => (isHost(value) ? value : undefined);
  const schema = { pattern: hostPattern };
  const expected = { expects: 'a host name or an IP address', convert, guess: hostHint };
  return stringField(key, initial, expected, schema);
}

export function listenAddress(key: string, initial: string): Field<ListenAddress> {
  const expects = '"host:port" or "unix:/path"';
  return stringField(
    key,
    initial,
    { expects, convert: parseListen, guess: listenHint },
    {
      pattern: listenPattern,
      examples: ['127.0.0.1:8081', 'unix:/run/seaweed-rdma.sock'],
    },
  );
}

/** `''` where it is allowed to be absent. */
export function httpUrl(key: string, initial: string): Field<string> {
  const convert = (value: string): string | undefined =>
    value === '' ? '' : parseHttpOrigin(value);
  const expects = 'a URL such as "http://127.0.0.1:8080"';
  return stringField(
    key,
    initial,
    { expects, convert, guess: urlHint },
    {
      pattern: httpOriginPattern,
      examples: ['http://127.0.0.1:8080'],
    },
  );
}

export function flag(key: string, initial: boolean): Field<boolean> {
  return {
    key,
    kind: 'boolean',
    initial,
    schema: { type: 'boolean' },
    parse(raw, report) {
      if (typeof raw === 'boolean') return raw;
      report([], `expected true or false, not ${show(raw)}${flagHint(raw)}`);
      return undefined;
    },
  };
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export function integer(key: string, initial: number, range: Range): Field<number> {
  return { ...optionalInteger(key, range), initial } as Field<number>;
}

export function optionalInteger(key: string, range: Range): Field<number | undefined> {
  return {
    key,
    kind: 'integer',
    initial: undefined,
    schema: { type: 'integer', minimum: range.min, maximum: range.max },
    parse(raw, report) {
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) {
        report([], `expected an integer, not ${show(raw)}${integerHint(raw)}`);
        return undefined;
      }
      if (raw >= range.min && raw <= range.max) return raw;
      report([], `must be ${range.min} to ${range.max}, not ${raw}`);
      return undefined;
    },
  };
}

export function stringList(key: string, initial: readonly string[]): Field<readonly string[]> {
  return {
    key,
    kind: 'list',
    initial,
    schema: { type: 'array', items: { type: 'string', minLength: 1 } },
    parse(raw, report) {
      if (Array.isArray(raw) && raw.every((item) => typeof item === 'string' && item !== '')) {
        return raw as string[];
      }
      report([], `expected a list of strings, not ${show(raw)}${listHint(raw)}`);
      return undefined;
    },
  };
}

/** A key that exists in the contract and cannot be used yet: giving it is an error that says so. */
export function reserved(key: string, message: string): Field<undefined> {
  return {
    key,
    kind: 'list',
    initial: undefined,
    schema: { not: {}, deprecated: true, description: message },
    parse(_raw, report) {
      report([], message);
      return undefined;
    },
  };
}

/** `[[section.key]]`, each table with these fields. */
export function tableList<T>(key: string, fields: Fields<T>): Field<readonly T[]> {
  return {
    key,
    kind: 'tables',
    initial: [],
    schema: { type: 'array' },
    columns: fields,
    parse(raw, report) {
      if (!Array.isArray(raw) || !raw.every(isTable)) {
        report([], `expected tables [[…${key}]], not ${show(raw)}`);
        return undefined;
      }
      return raw.map((table, index) => readFields(fields, table, below(report, String(index))));
    },
  };
}

/** `[section.key.NAME]`, each table with these fields. */
export function tableMap<T>(key: string, fields: Fields<T>): Field<Readonly<Record<string, T>>> {
  return {
    key,
    kind: 'tables',
    initial: {},
    schema: { type: 'object' },
    columns: fields,
    parse(raw, report) {
      if (!isTable(raw)) {
        report([], `expected tables [….${key}.NAME], not ${show(raw)}`);
        return undefined;
      }
      const named: [string, T][] = [];
      for (const [name, table] of Object.entries(raw)) {
        if (isTable(table)) named.push([name, readFields(fields, table, below(report, name))]);
        else report([name], `expected a table, not ${show(table)}`);
      }
      return Object.fromEntries(named);
    },
  };
}

/**
 * A whole table: unknown keys are reported with their nearest valid one, absent ones take their default, and so do
 * those that could not be taken and were reported: further checks then still have something to look at.
 */
export function readFields<T>(
  fields: Fields<T>,
  table: Readonly<Record<string, unknown>>,
  report: Report,
): T {
  const rows = Object.entries(fields) as [keyof T, Field<T[keyof T]>][];
  const keys = rows.map(([, field]) => field.key);
  for (const key of Object.keys(table)) {
    if (!keys.includes(key)) report([key], unknownKey(key, keys));
  }
  const values: Partial<T> = {};
  for (const [name, field] of rows) {
    const given = Object.hasOwn(table, field.key)
      ? field.parse(table[field.key], below(report, field.key))
      : undefined;
    const value = given ?? initialValue(field);
    if (value !== undefined) values[name] = value;
  }
  return values as T;
}

export function unknownKey(key: string, keys: readonly string[]): string {
  return `unknown key; the nearest valid one is "${nearestKey(key, keys) ?? ''}"`;
}

export function isTable(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

function initialValue<T>(field: Field<T>): T | undefined {
  // A default may be one that the file could not give, such as '' for none.
  return field.initial === undefined ? undefined : field.parse(field.initial, ignore);
}

function ignore(): void {}

function below(report: Report, key: string): Report {
  return (path, message) => {
    report([key, ...path], message);
  };
}

/** A rule for a string, in words and as a function. */
interface Expected<T> {
  readonly expects: string;
  readonly convert: (value: string) => T | undefined;
  readonly guess?: Hint;
}

function stringField<T>(
  key: string,
  initial: string,
  { expects, convert, guess = () => '' }: Expected<T>,
  schema: FieldSchema,
): Field<T> {
  return {
    key,
    kind: 'string',
    initial,
    schema: { type: 'string', ...schema },
    parse(raw, report) {
      const value = typeof raw === 'string' ? convert(raw) : undefined;
      if (value === undefined) report([], `expected ${expects}, not ${show(raw)}${guess(raw)}`);
      return value;
    },
  };
}

function ranged(
  field: Field<number>,
  unit: string,
  range: Partial<Range>,
  format: (value: number) => string,
): Field<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  const bounds = [
    ...(range.min === undefined ? [] : [`at least ${format(min)}`]),
    ...(range.max === undefined ? [] : [`at most ${format(max)}`]),
  ];
  return {
    ...field,
    ...(bounds.length === 0 ? {} : { hint: bounds.join(', ') }),
    parse(raw, report) {
      const value = field.parse(raw, report);
      if (value === undefined || (value >= min && value <= max)) return value;
      const bound = value < min ? `at least ${min} ${unit}` : `at most ${max} ${unit}`;
      report([], `must be ${bound}, not ${show(raw)}`);
      return undefined;
    },
  };
}

function show(raw: unknown): string {
  if (isTable(raw)) return 'a table';
  const shown = JSON.stringify(raw) ?? String(raw);
  return shown.length <= 80 ? shown : `${shown.slice(0, 77)}…`;
}
