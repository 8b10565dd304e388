/**
 * One definition for a type and its JSON Schema: what the admin API answers and takes. Only this file knows TypeBox, and
 * takes its types alone: TypeBox resolves the type of a schema, while the schemas are plain objects that keep to what
 * OpenAPI 3.0 knows. Its 373 modules would add 90 ms of CPU time to each start of a tool.
 */
import type Type from 'typebox';

/** Keywords that have no type in the program. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema whose values have the type `T` in the program. */
export type SchemaOf<T> = Type.TUnsafe<T>;
type Schema = Type.TSchema;

/** The type of the values that a schema describes. They are answers, and never changed. */
export type ValueOf<S extends Schema> = DeepReadonly<Type.Static<S>>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Marks a property that is not required in JSON. */
const mayBeAbsent = Symbol('may be absent');

export const text: SchemaOf<string> = typed({ type: 'string' });
export const flag: SchemaOf<boolean> = typed({ type: 'boolean' });
export const amount: SchemaOf<number> = typed({ type: 'number', minimum: 0 });
export const count: SchemaOf<number> = typed({ type: 'integer', minimum: 0 });
export const time: SchemaOf<string> = typed({ type: 'string', format: 'date-time' });
/** 64 bits do not fit a number of JSON. */
export const decimal: SchemaOf<bigint> = typed({ type: 'string', pattern: '^[0-9]{1,20}$' });
export const anything: SchemaOf<unknown> = typed({});

function typed<T>(schema: object): SchemaOf<T> {
  return schema as SchemaOf<T>;
}

/** Adds keywords of JSON Schema that change no type. */
export function refined<S extends Schema>(schema: S, keywords: JsonSchema): S {
  return { ...schema, ...keywords };
}

export function described<S extends Schema>(schema: S, description: string): S {
  return refined(schema, { description });
}

export function list<S extends Schema>(items: S): SchemaOf<Type.Static<S>[]> {
  return typed({ type: 'array', items });
}

export function oneOf<const Text extends string>(...values: readonly Text[]): SchemaOf<Text> {
  return typed({ type: 'string', enum: values });
}

export function nullable<S extends Schema>(schema: S): SchemaOf<Type.Static<S> | null> {
  return typed({ ...schema, nullable: true });
}

/** A property that must be given, and is not in the answer where it is undefined. */
export function orAbsent<S extends Schema>(schema: S): SchemaOf<Type.Static<S> | undefined> {
  return typed({ ...schema, [mayBeAbsent]: true });
}

/** A property of an input that has this value where the client leaves it out. */
export function withDefault<S extends Schema>(schema: S, value: Type.Static<S>): S {
  return refined(schema, { default: value, [mayBeAbsent]: true });
}

/** A property that may be left out in the program, too. */
export function optional<S extends Schema>(schema: S): Type.TOptional<S> {
  return refined(schema, { [mayBeAbsent]: true }) as Type.TOptional<S>;
}

type Properties = Readonly<Record<string, Schema>>;

/** An answer; later versions may add properties. */
export function record<P extends Properties>(properties: P): Type.TObject<P> {
  const required = Object.keys(properties).filter(
    (name) => !(mayBeAbsent in (properties[name] as Schema)),
  );
  // OpenAPI 3.0 knows no empty list of required names.
  const names = required.length === 0 ? {} : { required };
  return { type: 'object', ...names, properties } as unknown as Type.TObject<P>;
}

/** Counts under their names, and records of counts. */
type CountProperties = Readonly<
  Record<string, SchemaOf<number> | SchemaOf<Record<string, number>>>
>;

/** The counters that a record of counts describes. They are added to. */
export type CountersOf<S extends Type.TObject<CountProperties>> = Type.Static<S>;

/** The counters of a record of counts, each of them 0. */
export function zeros<P extends CountProperties>(
  schema: Type.TObject<P>,
): Type.Static<Type.TObject<P>> {
  return zeroOf(schema) as Type.Static<Type.TObject<P>>;
}

function zeroOf(schema: object): unknown {
  if ('properties' in schema) {
    const counters = Object.entries(schema.properties as Readonly<Record<string, object>>);
    return Object.fromEntries(counters.map(([name, each]) => [name, zeroOf(each)]));
  }
  if (!('type' in schema && schema.type === 'integer')) throw new TypeError('it is no count');
  return 0;
}

/** An answer that has properties beside these already. */
export function openRecord<P extends Properties>(
  properties: P,
): SchemaOf<Type.Static<Type.TObject<P>> & Record<string, unknown>> {
  return typed(refined(record(properties), { additionalProperties: {} }));
}

/** A client's input: these properties alone. */
export function input<P extends Properties>(properties: P): Type.TObject<P> {
  return refined(record(properties), { additionalProperties: false });
}

export function mapOf<S extends Schema>(values: S): SchemaOf<Record<string, Type.Static<S>>> {
  return typed({ type: 'object', additionalProperties: values });
}

/** A record with the same schema under each name. */
export function recordOf<const Name extends string, S extends Schema>(
  names: readonly Name[],
  values: S,
): SchemaOf<Record<Name, Type.Static<S>>> {
  return typed(record(Object.fromEntries(names.map((name) => [name, values]))));
}

/** An answer that is one of several records. */
export function either<const S extends readonly Schema[]>(
  ...schemas: S
): SchemaOf<Type.Static<S[number]>> {
  return typed({ anyOf: schemas });
}
