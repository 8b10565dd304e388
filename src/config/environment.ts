/** Overrides from the environment: SEAWEED_RDMA__CACHE__SIZE=1GiB sets `size` of `[cache]`. */
import { parse } from 'smol-toml';
import type { Field, Schema } from './field.ts';
import { nearestKey } from './nearest-key.ts';

export const environmentPrefix = 'SEAWEED_RDMA__';

export interface EnvironmentOverrides {
  /** Section → key → value as the file would have it. */
  readonly values: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Dotted key → the variable that sets it. */
  readonly variables: ReadonlyMap<string, string>;
  readonly wrong: readonly { readonly variable: string; readonly message: string }[];
}

export function readEnvironment(
  schema: Schema<Record<string, object>>,
  environment: NodeJS.ProcessEnv,
): EnvironmentOverrides {
  const known = knownVariables(schema);
  const values = new Map<string, Record<string, unknown>>();
  const variables = new Map<string, string>();
  const wrong: { variable: string; message: string }[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(environmentPrefix) || value === undefined) continue;
    const place = known.get(variable);
    if (place === undefined) {
      const nearest = nearestKey(variable, [...known.keys()]) ?? '';
      wrong.push({ variable, message: `unknown variable; the nearest valid one is ${nearest}` });
      continue;
    }
    const { section, field } = place;
    values.set(section, { ...values.get(section), [field.key]: asWritten(field, value) });
    variables.set(`${section}.${field.key}`, variable);
  }
  return { values, variables, wrong };
}

interface Place {
  readonly section: string;
  readonly field: Field<unknown>;
}

/** Tables ([[seaweedfs.volume_server]], [cache.collection.NAME]) are for files only. */
function knownVariables(schema: Schema<Record<string, object>>): ReadonlyMap<string, Place> {
  const known = new Map<string, Place>();
  for (const [section, fields] of Object.entries(schema)) {
    for (const field of Object.values(fields) as Field<unknown>[]) {
      if (field.kind === 'tables') continue;
      known.set(`${environmentPrefix}${section}__${field.key}`.toUpperCase(), { section, field });
    }
  }
  return known;
}

/** Returns a value that does not fit the kind unchanged: the field then says what it expects. */
function asWritten(field: Field<unknown>, value: string): unknown {
  if (field.kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value;
  if (field.kind === 'integer') return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (field.kind !== 'list' && field.kind !== 'strings') return value;
  if (!value.startsWith('[')) {
    if (field.kind === 'strings') return value;
    return value === '' ? [] : value.split(',');
  }
  try {
    const { list } = parse(`list = ${value}`);
    return list;
  } catch {
    return value;
  }
}
