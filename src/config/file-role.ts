/** Tells which role a file is for from the sections that only one role has, whatever the file is called. */
import { parse } from 'smol-toml';
import { isTable, type Schema } from './field.ts';
import { keyLines } from './key-lines.ts';
import { ConfigError } from './problem.ts';
import { type ProxySettings, proxySchema } from './proxy-schema.ts';
import { type ConfigSource, nameOfSource, textOfSource } from './settings.ts';
import { type TargetSettings, targetSchema } from './target-schema.ts';

export type Role = 'proxy' | 'target';

/** The role whose sections and keys are more; a file that does not tell is a proxy's. */
export function roleOfFile(source: ConfigSource): Role {
  const { proxy, target } = evidenceOf(source);
  return target.length > proxy.length ? 'target' : 'proxy';
}

/** One problem in place of an unknown key for each line. @throws ConfigError where the file is the other role's alone. */
export function refuseOtherRole(role: Role, source: ConfigSource): void {
  const other = role === 'proxy' ? 'target' : 'proxy';
  const evidence = evidenceOf(source);
  const first = evidence[other].find((name) => !name.includes('.')) ?? evidence[other][0];
  if (first === undefined || evidence[role].length > 0) return;
  const file = nameOfSource(source) ?? '';
  const line = keyLines(textOfSource(source)).get(first);
  const shown = first.includes('.') ? first : `[${first}]`;
  const message = `this is a ${other}'s file (only a ${other} has ${shown}): start it with "seaweed-rdma ${other} --config ${file}", and give the ${role} a file of its own`;
  throw new ConfigError([{ source: file, line, key: '', message }]);
}

type Evidence = Readonly<Record<Role, readonly string[]>>;

/** Dotted names that one role has and the other has not. What cannot be read or parsed is for the loader to report. */
function evidenceOf(source: ConfigSource): Evidence {
  let document: unknown;
  try {
    document = parse(textOfSource(source));
  } catch {
    return { proxy: [], target: [] };
  }
  const names = isTable(document) ? namesOf(document) : [];
  return {
    proxy: names.filter((name) => proxyNames.has(name) && !targetNames.has(name)),
    target: names.filter((name) => targetNames.has(name) && !proxyNames.has(name)),
  };
}

const proxyNames = schemaNames<ProxySettings>(proxySchema);
const targetNames = schemaNames<TargetSettings>(targetSchema);

/** Sections, and the keys below them. */
function schemaNames<T>(schema: Schema<T>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [section, fields] of Object.entries(schema) as [string, object][]) {
    names.add(section);
    for (const { key } of Object.values(fields) as { key: string }[])
      names.add(`${section}.${key}`);
  }
  return names;
}

/** A section that only one role has counts once, whatever is below it. */
function namesOf(document: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(document).flatMap(([section, table]) => {
    const isShared = proxyNames.has(section) && targetNames.has(section);
    if (!isShared || !isTable(table)) return [section];
    return Object.keys(table).map((key) => `${section}.${key}`);
  });
}
