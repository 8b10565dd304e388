/**
 * JSON Schema of a configuration file, made of the same table as its parser. Draft-07: the newest that TOML editors
 * take without asking (Taplo). It says what can be said of one key; what keys mean for each other, and what is in the
 * files that they name, only `config check` knows.
 */
import type { Field, FieldSchema, Schema } from './field.ts';

/** Dotted key or section → what it is for, in a line. */
export type Descriptions = ReadonlyMap<string, string>;

export function jsonSchema<T>(
  title: string,
  schema: Schema<T>,
  descriptions: Descriptions,
): FieldSchema {
  const sections = Object.entries(schema) as [string, Record<string, Field<unknown>>][];
  const properties = sections.map(([name, fields]) => [
    name,
    describe(descriptions.get(name), table(Object.values(fields), name, descriptions)),
  ]);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title,
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

function table(
  fields: readonly Field<unknown>[],
  path: string,
  descriptions: Descriptions,
): FieldSchema {
  const properties = fields.map((field) => {
    const key = `${path}.${field.key}`;
    return [field.key, described(field, key, descriptions)];
  });
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

function described(field: Field<unknown>, key: string, descriptions: Descriptions): FieldSchema {
  const { hint, initial } = field;
  const text = [descriptions.get(key), hint].filter((part) => part !== undefined).join('; ');
  const value = valueSchema(field, key, descriptions);
  return {
    ...describe(text === '' ? undefined : text, value),
    ...(initial === undefined ? {} : { default: initial }),
  };
}

function valueSchema(field: Field<unknown>, key: string, descriptions: Descriptions): FieldSchema {
  const { schema, columns } = field;
  if (columns === undefined) return schema;
  const row = table(Object.values(columns), key, descriptions);
  if (schema['type'] === 'array') return { ...schema, items: row };
  return { ...schema, additionalProperties: row };
}

/** First, where people look. */
function describe(description: string | undefined, schema: FieldSchema): FieldSchema {
  return description === undefined ? schema : { description, ...schema };
}
