/** Every key of a configuration with the value that counts, as it would be written, and where that came from. */
import { type Field, isTable, type Schema } from './field.ts';
import type { Origin, ReadSettings } from './settings.ts';

export interface EffectiveKey {
  /** Dotted, as in `cache.size`. */
  readonly key: string;
  /** The value as in the file: sizes and times with their units; for a secret, the file's name alone. */
  readonly value: unknown;
  /** "default", "FILE:LINE", or the name of a variable. */
  readonly from: string;
}

/** The loader's findings about single keys, once it has looked at all of them. */
export interface Adjustments {
  /** Key → the value that it has in the end, and why; only for keys that were not given. */
  readonly fitted: Readonly<Record<string, { readonly value: unknown; readonly why: string }>>;
  /** Keys whose default does not count, because another key stands for them. */
  readonly idle: readonly string[];
}

/** The keys of a loaded configuration, in the order of the schema. */
export function effectiveKeys(config: {
  readonly keys: readonly EffectiveKey[];
}): readonly EffectiveKey[] {
  return config.keys;
}

export function listKeys<T>(
  schema: Schema<T>,
  { written, problems }: ReadSettings<T>,
  { fitted, idle }: Adjustments,
): EffectiveKey[] {
  const keys: EffectiveKey[] = [];
  for (const [section, fields] of Object.entries(schema)) {
    for (const field of Object.values(fields as Record<string, Field<unknown>>)) {
      const key = `${section}.${field.key}`;
      const isGiven = problems.isGiven(key);
      if (!isGiven && idle.includes(key)) continue;
      const fit = isGiven ? undefined : fitted[key];
      const value = fit?.value ?? written.get(section)?.[field.key] ?? field.initial;
      // Keys without a default are worth a line only if the file gives them.
      if (value === undefined) continue;
      const from = fit?.why ?? showOrigin(problems.originOf(key));
      keys.push({ key, value: completed(field, value), from });
    }
  }
  return keys;
}

/** Tables with their own defaults. */
function completed(field: Field<unknown>, value: unknown): unknown {
  const { columns } = field;
  if (columns === undefined) return value;
  const complete = (table: unknown): unknown => {
    if (!isTable(table)) return table;
    const defaults = Object.values(columns).map((column) => [column.key, column.initial]);
    return { ...Object.fromEntries(defaults), ...table };
  };
  if (Array.isArray(value)) return value.map(complete);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, table]) => [name, complete(table)]));
}

function showOrigin(origin: Origin): string {
  if (origin.kind !== 'file') return origin.kind === 'default' ? 'default' : origin.source;
  return origin.line === undefined ? origin.source : `${origin.source}:${origin.line}`;
}
