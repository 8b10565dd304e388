/**
 * The configuration that a role would start with: every key, its value as it would be written, and where that came
 * from.
 */
import { statSync } from 'node:fs';
import { type EffectiveKey, listKeys } from './effective-keys.ts';
import type { Schema } from './field.ts';
import { type Role, roleOfFile } from './file-role.ts';
import { loadProxyConfig } from './proxy-config.ts';
import { proxySchema } from './proxy-schema.ts';
import { type ConfigSource, nameOfSource, readSettings } from './settings.ts';
import { loadTargetConfig } from './target-config.ts';
import { targetSchema } from './target-schema.ts';

export type { Role } from './file-role.ts';

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
  if ((role ?? roleOfFile(source)) === 'target') {
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

/** Keys of a role without a configuration: some must be given before it starts. */
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
