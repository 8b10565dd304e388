/** What a role would start with: every key, its value as it would be written, and where that came from. */
import { statSync } from 'node:fs';
import { parse } from 'smol-toml';
import { type EffectiveKey, listKeys } from './effective-keys.ts';
import { isTable, type Schema } from './field.ts';
import { loadProxyConfig } from './proxy-config.ts';
import { proxySchema } from './proxy-schema.ts';
import { type ConfigSource, nameOfSource, readSettings, textOfSource } from './settings.ts';
import { loadTargetConfig } from './target-config.ts';
import { targetSchema } from './target-schema.ts';

export type Role = 'proxy' | 'target';

export interface CheckedFile {
  readonly role: Role;
  readonly file: string;
  readonly keys: readonly EffectiveKey[];
  readonly warnings: readonly string[];
}

/** @throws ConfigError with everything that is wrong. */
export function checkFile(
  source: ConfigSource,
  role: Role | undefined,
  environment: NodeJS.ProcessEnv,
): CheckedFile {
  const file = nameOfSource(source) ?? '(defaults)';
  if ((role ?? roleOf(source)) === 'target') {
    const { keys, warnings, target } = loadTargetConfig(source, environment);
    const missing = [
      ...missingFolders('target.dirs', target.dirs),
      ...missingFolders('target.idx_dirs', target.idxDirs),
    ];
    return { role: 'target', file, keys, warnings: [...warnings, ...missing] };
  }
  const { keys, warnings, rdma } = loadProxyConfig(source, environment);
  const missing = missingFolders('rdma.dirs', rdma.dirs);
  return { role: 'proxy', file, keys, warnings: [...warnings, ...missing] };
}

/** Of a role that is given nothing: some must be given before it starts. */
export function defaultKeys(role: Role): readonly EffectiveKey[] {
  return role === 'proxy' ? defaultsOf(proxySchema) : defaultsOf(targetSchema);
}

function defaultsOf<T>(schema: Schema<T>): readonly EffectiveKey[] {
  return listKeys(schema, readSettings(schema, undefined, {}), { fitted: {}, idle: [] });
}

/** A file may be checked on another machine than it is for: no error. */
function missingFolders(key: string, folders: readonly string[]): string[] {
  return folders
    .filter((folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    .map((folder) => `${key}: "${folder}" is no directory on this machine`);
}

/** By the sections that only one role has. What cannot be read or parsed is for the loader to report. */
function roleOf(source: ConfigSource): Role {
  let document: unknown;
  try {
    document = parse(textOfSource(source));
  } catch {
    return 'proxy';
  }
  if (!isTable(document)) return 'proxy';
  const { target, rdma } = document;
  const proxySections = Object.keys(proxySchema).filter((name) => !(name in targetSchema));
  if (proxySections.some((name) => Object.hasOwn(document, name))) return 'proxy';
  return target !== undefined || (isTable(rdma) && 'listen' in rdma) ? 'target' : 'proxy';
}
