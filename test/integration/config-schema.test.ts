/** The JSON Schema of the configuration files against their parser: the same table made both. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../src/config/check-file.ts';
import type { Field, Schema } from '../../src/config/field.ts';
import { jsonSchema } from '../../src/config/json-schema.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { loadProxyConfig } from '../../src/config/proxy-config.ts';
import { proxySchema } from '../../src/config/proxy-schema.ts';
import { roleSchema } from '../../src/config/role-schema.ts';
import { commentsOf } from '../../src/config/sample-comments.ts';
import { targetSchema } from '../../src/config/target-schema.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');
const roles: readonly Role[] = ['proxy', 'target'];
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
const validators: Readonly<Record<Role, ValidateFunction>> = {
  proxy: ajv.compile(roleSchema('proxy')),
  target: ajv.compile(roleSchema('target')),
};

function sampleOf(role: Role): string {
  return readFileSync(join(root, 'config', `${role}.toml`), 'utf8');
}

/** Dotted keys that the schema refuses. */
function refusedBySchema(role: Role, toml: string): string[] {
  const validate = validators[role];
  if (validate(parse(toml))) return [];
  const paths = (validate.errors ?? []).map(({ instancePath, params }) => {
    const extra = (params as { additionalProperty?: string }).additionalProperty;
    return [...instancePath.split('/').slice(1), ...(extra === undefined ? [] : [extra])].join('.');
  });
  return [...new Set(paths)];
}

describe('the schema files', () => {
  test.each(roles)('docs/schema/%s.schema.json is what the program prints', (role) => {
    const file = join(root, 'docs', 'schema', `${role}.schema.json`);
    const remedy = `make it anew: seaweed-rdma config schema ${role} > docs/schema/${role}.schema.json`;
    expect(JSON.parse(readFileSync(file, 'utf8')), remedy).toEqual(roleSchema(role));
  });

  test.each(roles)('config/%s.toml names its schema in the first line, and validates', (role) => {
    const [first = ''] = sampleOf(role).split('\n');
    const [, path = ''] = /^#:schema (\S+)$/.exec(first) ?? [];
    expect(existsSync(join(root, dirname(`config/${role}.toml`), path))).toBe(true);
    expect(path.endsWith(`${role}.schema.json`)).toBe(true);
    expect(refusedBySchema(role, sampleOf(role))).toEqual([]);
  });

  test('what the samples show as a comment validates too', () => {
    const uncommented = sampleOf('proxy').replace(/^# (?=\[|[a-z_]+ = )/gm, '');
    expect(refusedBySchema('proxy', uncommented)).toEqual(['seaweedfs.masters']);
  });

  test('every key is described, by its own comment or by its section’s', () => {
    const undescribed = roles.flatMap((role) => {
      const comments = commentsOf(sampleOf(role));
      const schema: object = role === 'proxy' ? proxySchema : targetSchema;
      return Object.entries(schema).flatMap(([section, fields]) =>
        Object.values(fields as Record<string, Field<unknown>>)
          .map(({ key }) => `${section}.${key}`)
          .filter((key) => !comments.has(key) && !comments.has(section)),
      );
    });
    expect(undescribed).toEqual([]);
  });
});

describe('what config check refuses by type, name, choice or range, the schema refuses', () => {
  test.each([
    ['[http]\nlane = "yes"', 'http.lane'],
    ['[http]\nport = 70000', 'http.port'],
    ['[http]\nlisten = "8080"', 'http.listen'],
    ['[http]\ntimeout = "2s"', 'http.timeout'],
    ['[cahce]\nsize = "1B"', 'cahce'],
    ['[cache]\nsize = -5', 'cache.size'],
    ['[cache]\nsize = 5.5', 'cache.size'],
    ['[memory]\nsize = 4096', 'memory.size'],
    ['[cache]\nsize = "1.5GiB"', 'cache.size'],
    ['[cache]\nsize = "64mib"', 'cache.size'],
    ['[cache]\nlease = "1 s"', 'cache.lease'],
    ['[cache]\nconsistency = "eventual"', 'cache.consistency'],
    ['[cache.collection.a]\nsize = "1B"', 'cache.collection.a.size'],
    ['[limits]\nconnections = 0', 'limits.connections'],
    ['[limits]\nconnections = 1.5', 'limits.connections'],
    ['[rdma]\nmode = "of"', 'rdma.mode'],
    ['[rdma]\ndirs = "/data"', 'rdma.dirs'],
    ['[rdma]\ndirs = [""]', 'rdma.dirs.0'],
    ['[seaweedfs]\nmasters = ["http://127.0.0.1:9333"]', 'seaweedfs.masters'],
    ['[seaweedfs]\nvolume_server_url = "https://a"', 'seaweedfs.volume_server_url'],
    ['[[seaweedfs.volume_server]]\nurl = "x"\ntarget = ""', 'seaweedfs.volume_server.0.url'],
  ])('%j', (toml, key) => {
    const parserKeys = problemKeys(toml);
    expect(parserKeys).toContain(key.replace(/^rdma\.dirs\.0$/, 'rdma.dirs'));
    expect(refusedBySchema('proxy', toml)).toEqual([key]);
  });
});

function problemKeys(toml: string): readonly string[] {
  try {
    loadProxyConfig(scratch.write('refused.toml', toml), {});
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ key }) => key);
    throw error;
  }
  return [];
}

/** What no pattern can say: how large a size or time or port is, what an IP address, host or path is. */
const beyondSchema = /^must be at (least|most)|^expected ("?host:port|a host name|a URL)/;

/** "1…" of 15 digits and TB is not exact in a double. */
const inexact = /^expected a (size|time)/;

function fieldsOf(schema: Schema<object>): readonly (readonly [string, Field<unknown>])[] {
  return Object.entries(schema).flatMap(([section, fields]) =>
    Object.values(fields as Record<string, Field<unknown>>).map(
      (field) => [`${section}.${field.key}`, field] as const,
    ),
  );
}

/** A text near to what the keys take. */
const nearly = fc.oneof(
  fc
    .tuple(
      fc.nat({ max: 10 ** 16 }),
      fc.constantFrom('B', 'KiB', 'TiB', 'us', 'ms', 's', 'h', 'x', ''),
    )
    .map(([count, unit]) => `${count}${unit}`),
  fc
    .tuple(
      fc.oneof(
        fc.domain(),
        fc.ipV4(),
        fc.ipV6().map((ip) => `[${ip}]`),
        fc.string({ maxLength: 3 }),
      ),
      fc.nat({ max: 99_999 }),
    )
    .map(([host, port]) => `${host}:${port}`),
  fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
  fc.webUrl(),
  fc
    .tuple(fc.constantFrom('http://', 'HTTP://', 'https://', 'http:', ' http://'), fc.domain())
    .map((parts) => parts.join('')),
  fc.string().map((path) => `unix:/${path}`),
);

/** As a TOML parser may give it, without dates. */
const anyValue = fc.oneof(
  { weight: 4, arbitrary: nearly },
  fc.string(),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 2 }),
);

function oneKey(field: Field<unknown>): ValidateFunction {
  const schema = { s: { k: field } } as unknown as Schema<object>;
  return ajv.compile({ ...jsonSchema('one', schema, new Map()) });
}

describe.each([
  ['proxy', fieldsOf(proxySchema as Schema<object>)],
  ['target', fieldsOf(targetSchema as Schema<object>)],
] as const)('of %s.toml the schema and the parser take the same values', (_role, fields) => {
  test.each(fields)('%s', (_key, field) => {
    const validate = oneKey(field);
    // Choices and bounds are seldom met by chance.
    const {
      enum: choices = [],
      minimum = 0,
      maximum = 0,
    } = field.schema as {
      enum?: readonly string[];
      minimum?: number;
      maximum?: number;
    };
    const edges = [...choices, minimum, maximum, minimum - 1, maximum + 1, field.initial, ''];
    const value = fc.oneof({ weight: 3, arbitrary: anyValue }, fc.constantFrom(...edges));
    fc.assert(
      fc.property(value, (raw) => {
        if (raw === undefined) return;
        const messages: string[] = [];
        field.parse(raw, (_path, message) => messages.push(message));
        const isTakenBySchema = validate({ s: { [field.key]: raw } });
        if (messages.length === 0) expect(isTakenBySchema, JSON.stringify(raw)).toBe(true);
        if (!isTakenBySchema) return;
        const isExcused = messages.every(
          (message) => beyondSchema.test(message) || (inexact.test(message) && isLong(raw)),
        );
        expect(isExcused, `${JSON.stringify(raw)}: ${messages.join(', ')}`).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

function isLong(raw: unknown): boolean {
  return typeof raw === 'string' && /^\d{4,15}[A-Za-z]+$/.test(raw);
}
