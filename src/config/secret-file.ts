/** The files that a configuration names: shared secrets, tokens, SeaweedFS's security.toml. */
import { readFileSync, statSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { isTable } from './field.ts';
import { fileReason } from './file-reason.ts';
import { Problems } from './settings.ts';

const secretBytesMax = 4096;

/** The file's content without one closing line feed; undefined when none is named, or (reported) not usable. */
export function readSecretFile(key: string, file: string, problems: Problems): string | undefined {
  if (file === '') return undefined;
  let content: string;
  try {
    if ((statSync(file).mode & 0o007) !== 0) {
      problems.warnings.push(`${key}: every user of this machine can open "${file}"`);
    }
    content = readFileSync(file, 'latin1');
  } catch (error) {
    problems.add(key, `cannot be read: ${fileReason(file, error)}`);
    return undefined;
  }
  const secret = content.replace(/\r?\n$/, '');
  if (secret !== '' && secret.length <= secretBytesMax) return secret;
  problems.add(key, `"${file}" ${secret === '' ? 'is empty' : `is over ${secretBytesMax} bytes`}`);
  return undefined;
}

/** The secrets that proxies and targets share, the one to prove first in front. */
export function readSecrets(
  { secretFile, secondSecretFile }: SecretFiles,
  problems: Problems,
): readonly string[] {
  const [first, second] = [
    readSecretFile('rdma.secret_file', secretFile, problems),
    readSecretFile('rdma.second_secret_file', secondSecretFile, problems),
  ];
  if (secretFile === '' && secondSecretFile !== '') {
    problems.add(
      'rdma.second_secret_file',
      'is for a change of rdma.secret_file, which is not set',
    );
  }
  return [first, second].filter((secret) => secret !== undefined);
}

interface SecretFiles {
  /** '': none. */
  readonly secretFile: string;
  readonly secondSecretFile: string;
}

/** Reads the secret from a file that was named on the command line. @throws ConfigError */
export function readSecretOption(file: string): string {
  const problems = new Problems('--secret-file', new Map(), new Map());
  const secret = readSecretFile('', file, problems);
  problems.throwIfAny();
  return secret ?? '';
}

/** `[jwt.signing.read] key` of a security.toml; undefined when there is none. */
export function readSigningKey(key: string, file: string, problems: Problems): string | undefined {
  if (file === '') return undefined;
  let document: unknown;
  try {
    document = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    problems.add(
      key,
      error instanceof TomlError
        ? `"${file}" cannot be read: line ${error.line} is not TOML`
        : `cannot be read: ${fileReason(file, error)}`,
    );
    return undefined;
  }
  const found = ['jwt', 'signing', 'read', 'key'].reduce(
    (table, name) => (isTable(table) ? table[name] : undefined),
    document,
  );
  if (found === undefined || found === '') return undefined;
  if (typeof found === 'string') return found;
  problems.add(key, `"${file}": jwt.signing.read.key is not a string`);
  return undefined;
}
