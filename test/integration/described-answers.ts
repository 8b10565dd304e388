/** Answers of the admin API against its own description: what they must have, and that they have nothing else. */
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

interface Operation {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

export interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Refuses a property that the description does not name: clients may get more from later versions, not from this one. */
export function answerSchema(
  description: Description,
  path: string,
  method: string,
  status: number,
): ValidateFunction {
  const schema =
    description.paths[path]?.[method]?.responses[status]?.content?.['application/json'];
  if (schema === undefined) throw new Error(`${method} ${path} ${status} is not described`);
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  return ajv.compile(closed(schema.schema) as object);
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  const isOpenRecord =
    typeof inner['properties'] === 'object' && !('additionalProperties' in inner);
  return isOpenRecord ? { ...inner, additionalProperties: false } : inner;
}
