/**
 * One key of a configuration file: its name, its default, what it takes. The tables made of these are the single
 * source for parsing, defaults, messages, `config check` and the documentation's test.
 */
import {
  isHost,
  type ListenAddress,
  parseHostPort,
  parseHttpOrigin,
  parseListen,
} from './address.ts';
import { nearestKey } from './nearest-key.ts';
import { parseDurationMs, parseSize } from './units.ts';

/** Says what is wrong below the key itself (`path` empty: with its own value). */
export type Report = (path: readonly string[], message: string) => void;

export interface Field<T> {
  /** As in the file. */
  readonly key: string;
  readonly kind: 'string' | 'boolean' | 'integer' | 'list' | 'tables';
  /** As it would be written in the file; undefined: none, the key may be left out. */
  readonly initial:
    | string
    | boolean
    | number
    | readonly string[]
    | Readonly<Record<string, never>>
    | undefined;
  /** Of kind tables: what each of them holds. */
  readonly columns?: Fields<object>;
  /** `raw` is the file's value. Reports and returns undefined when it cannot be taken. */
  parse(raw: unknown, report: Report): T | undefined;
}

/** One field for each property of T. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** One section for each property of T; the property's name is the section's. */
export type Schema<T> = { readonly [K in keyof T]-?: Fields<T[K]> };

export function text(key: string, initial: string): Field<string> {
  return stringField(key, initial, 'a string', (value) => value);
}

export function choice<T extends string>(key: string, initial: T, choices: readonly T[]): Field<T> {
  const expects = `one of ${choices.map((name) => `"${name}"`).join(', ')}`;
  return stringField(key, initial, expects, (value) => choices.find((name) => name === value));
}

export function size(key: string, initial: string, range: Partial<Range> = {}): Field<number> {
  const expects = 'a size with its unit, such as "64MiB" (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB)';
  return ranged(stringField(key, initial, expects, parseSize), 'bytes', range);
}

/** In milliseconds. */
export function duration(key: string, initial: string, range: Partial<Range> = {}): Field<number> {
  const expects = 'a time with its unit, such as "250us" (us, ms, s, m, h)';
  return ranged(stringField(key, initial, expects, parseDurationMs), 'ms', range);
}

export function hostPort(key: string, initial: string): Field<string> {
  return stringField(key, initial, 'host:port, such as "127.0.0.1:18515"', (value) =>
    parseHostPort(value) === undefined ? undefined : value,
  );
}

export function host(key: string, initial: string): Field<string> {
  return stringField(key, initial, 'a host name or an IP address', (value) =>
    isHost(value) ? value : undefined,
  );
}

export function listenAddress(key: string, initial: string): Field<ListenAddress> {
  return stringField(key, initial, '"host:port" or "unix:/path"', parseListen);
}

/** `''` where it is allowed to be absent. */
export function httpUrl(key: string, initial: string): Field<string> {
  return stringField(key, initial, 'a URL such as "http://127.0.0.1:8080"', (value) =>
    value === '' ? '' : parseHttpOrigin(value),
  );
}

export function flag(key: string, initial: boolean): Field<boolean> {
  return {
    key,
    kind: 'boolean',
    initial,
    parse(raw, report) {
      if (typeof raw === 'boolean') return raw;
      report([], `expected true or false, not ${show(raw)}`);
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
    parse(raw, report) {
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) {
        report([], `expected an integer, not ${show(raw)}`);
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
    parse(raw, report) {
      if (Array.isArray(raw) && raw.every((item) => typeof item === 'string' && item !== '')) {
        return raw as string[];
      }
      report([], `expected a list of strings, not ${show(raw)}`);
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

function stringField<T>(
  key: string,
  initial: string,
  expects: string,
  convert: (value: string) => T | undefined,
): Field<T> {
  return {
    key,
    kind: 'string',
    initial,
    parse(raw, report) {
      const value = typeof raw === 'string' ? convert(raw) : undefined;
      if (value === undefined) report([], `expected ${expects}, not ${show(raw)}`);
      return value;
    },
  };
}

function ranged(field: Field<number>, unit: string, range: Partial<Range>): Field<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  return {
    ...field,
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
