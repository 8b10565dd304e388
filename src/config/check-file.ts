/** What a role would start with: every key, its value as it would be written, and where that came from. */
import { parse } from 'smol-toml';
import type { EffectiveKey } from './effective-keys.ts';
import { isTable } from './field.ts';
import { loadProxyConfig } from './proxy-config.ts';
import { proxySchema } from './proxy-schema.ts';
import { type ConfigSource, nameOfSource, textOfSource } from './settings.ts';
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
  const { keys, warnings, ...config } =
    (role ?? roleOf(source)) === 'target'
      ? loadTargetConfig(source, environment)
      : loadProxyConfig(source, environment);
  return { role: config.role, file: nameOfSource(source) ?? '(defaults)', keys, warnings };
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
