/** What a role would start with: every key, its value as it would be written, and where that came from. */
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import type { Field, Schema } from './field.ts';
import { isTable } from './field.ts';
import { loadProxyConfig } from './proxy-config.ts';
import { proxySchema } from './proxy-schema.ts';
import { type Origin, readSettings } from './settings.ts';
import { loadTargetConfig } from './target-config.ts';
import { targetSchema } from './target-schema.ts';

export type Role = 'proxy' | 'target';

export interface CheckedKey {
  /** Dotted. */
  readonly key: string;
  readonly value: unknown;
  /** "default", "FILE:LINE", or the name of a variable. */
  readonly from: string;
}

export interface CheckedFile {
  readonly role: Role;
  /** undefined: defaults and environment only. */
  readonly file: string | undefined;
  readonly keys: readonly CheckedKey[];
  readonly warnings: readonly string[];
}

/** @throws ConfigError with everything that is wrong. */
export function checkFile(
  file: string | undefined,
  role: Role | undefined,
  environment: NodeJS.ProcessEnv,
): CheckedFile {
  if ((role ?? roleOf(file)) === 'target') {
    const { warnings } = loadTargetConfig(file, environment);
    return { role: 'target', file, keys: keysOf(targetSchema, file, environment), warnings };
  }
  const { warnings } = loadProxyConfig(file, environment);
  return { role: 'proxy', file, keys: keysOf(proxySchema, file, environment), warnings };
}

/** By the sections that only one role has. What cannot be read or parsed is for the loader to report. */
function roleOf(file: string | undefined): Role {
  if (file === undefined) return 'proxy';
  let document: unknown;
  try {
    document = parse(readFileSync(file, 'utf8'));
  } catch {
    return 'proxy';
  }
  if (!isTable(document)) return 'proxy';
  const { target, rdma } = document;
  const proxySections = Object.keys(proxySchema).filter((name) => !(name in targetSchema));
  if (proxySections.some((name) => Object.hasOwn(document, name))) return 'proxy';
  return target !== undefined || (isTable(rdma) && 'listen' in rdma) ? 'target' : 'proxy';
}

function keysOf<T>(
  schema: Schema<T>,
  file: string | undefined,
  environment: NodeJS.ProcessEnv,
): CheckedKey[] {
  const { written, problems } = readSettings(schema, file, environment);
  const keys: CheckedKey[] = [];
  for (const [section, fields] of Object.entries(schema)) {
    for (const field of Object.values(fields as Record<string, Field<unknown>>)) {
      const key = `${section}.${field.key}`;
      const value = written.get(section)?.[field.key] ?? field.initial;
      // Keys without a default are worth a line only where somebody wrote them.
      if (value === undefined) continue;
      keys.push({ key, value, from: showOrigin(problems.originOf(key)) });
    }
  }
  return keys;
}

function showOrigin(origin: Origin): string {
  if (origin.kind !== 'file') return origin.kind === 'default' ? 'default' : origin.source;
  return `${origin.source}:${origin.line ?? ''}`;
}
