/** The few kinds of JSON Schema that the admin API is described with. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export const text: JsonSchema = { type: 'string' };
export const flag: JsonSchema = { type: 'boolean' };
export const amount: JsonSchema = { type: 'number', minimum: 0 };
export const count: JsonSchema = { type: 'integer', minimum: 0 };

export function described(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description };
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

export function oneOf(...values: readonly string[]): JsonSchema {
  return { type: 'string', enum: values };
}

/** All of `properties` are always there; others may come with later versions. */
export function record(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', required: Object.keys(properties), properties };
}

/** Schema of a client's input: these properties alone, all optional unless `required` names them. */
export function input(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema {
  return { type: 'object', additionalProperties: false, required, properties };
}

export function mapOf(values: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: values };
}

export const errorSchema: JsonSchema = {
  description: 'The error, and what to do.',
  ...record({ error: text }),
};

/** Answers that every guarded route may give. */
export const refusals: Readonly<Record<number, JsonSchema>> = {
  401: { ...errorSchema, description: 'The admin token is missing or wrong.' },
};

export const apiRefusals: Readonly<Record<number, JsonSchema>> = {
  ...refusals,
  400: { ...errorSchema, description: 'A parameter or the body is not as described.' },
  403: {
    ...errorSchema,
    description: 'Refused for this Host or Origin, or without admin.token_file.',
  },
};
