/** Layer 1: the file, what it warns of, and who may read the files that it names. */
import { statSync } from 'node:fs';
import { messageOf } from '../../rdma/errors.ts';
import { type CheckName, type Finding, fail, ok, skip, warn } from './check.ts';
import type { SecretPath, Setup, SetupProblem } from './setup.ts';

export interface SecretFileFacts extends SecretPath {
  /** Permission bits; undefined: the file cannot be looked at. */
  readonly mode: number | undefined;
  readonly detail: string;
}

export function gatherSecretFiles(paths: readonly SecretPath[]): readonly SecretFileFacts[] {
  return paths.map((path) => {
    try {
      return { ...path, mode: statSync(path.path).mode & 0o777, detail: '' };
    } catch (error) {
      return { ...path, mode: undefined, detail: messageOf(error) };
    }
  });
}

export function judgeConfiguration(
  setup: Setup,
  files: readonly SecretFileFacts[],
): readonly Finding[] {
  return [
    configFile(setup),
    configWarnings(setup),
    ...secretFiles('secret-file', setup, files),
    ...secretFiles('token-file', setup, files),
  ];
}

function configFile({ file, problems, role, keysWritten }: Setup): Finding {
  if (file === undefined) {
    return skip('config-file', 'no configuration was given: only this machine is looked at', [
      'would check every key, its value and how keys fit together; give --config FILE',
    ]);
  }
  if (problems.length === 0) {
    return ok('config-file', `a sound configuration of the ${role}`, [
      `${file}: ${keysWritten} keys set, no problem`,
    ]);
  }
  const [first, ...others] = problems.map(fixOf);
  return fail('config-file', {
    summary: `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}: the ${role ?? 'role'} does not start`,
    evidence: problems.map(
      ({ place, key, message }) => `${place}: ${key === '' ? '' : `${key}: `}${message}`,
    ),
    fix: [first as string, ...others, `then: seaweed-rdma config check ${file}`],
  });
}

function fixOf({ place, key, message }: SetupProblem): string {
  const nearest = /nearest (?:valid )?(?:one|key)?\s*is "?([\w.-]+)"?/.exec(message)?.[1];
  if (nearest !== undefined) return `${place}: rename ${key === '' ? 'it' : key} to ${nearest}`;
  const path = /there is no file "([^"]+)"|"([^"]+)" is empty/.exec(message);
  if (/(secret_file|token_file)$/.test(key) && path !== null) {
    return `${key}: ${createSecret(path[1] ?? path[2] ?? '')}`;
  }
  if (key === '') {
    return message.includes('cannot be read')
      ? `${place}: name a file with --config that this user can read`
      : `${place}: correct this line (${message})`;
  }
  return `${place}: set ${key} anew: ${message}`;
}

function createSecret(path: string): string {
  return `create it: (umask 077; head -c 32 /dev/urandom | base64 > ${path}), the same on proxies and targets`;
}

function configWarnings({ file, problems, warnings }: Setup): Finding {
  if (file === undefined) return skip('config-warnings', 'no configuration was given');
  if (problems.length > 0) return skip('config-warnings', 'the configuration has problems');
  if (warnings.length === 0) return ok('config-warnings', 'no warnings');
  return warn('config-warnings', {
    summary: `${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`,
    evidence: warnings,
    fix: [`change what each names, then: seaweed-rdma config check ${file}`],
  });
}

function secretFiles(
  name: Extract<CheckName, 'secret-file' | 'token-file'>,
  { file, problems }: Setup,
  files: readonly SecretFileFacts[],
): readonly Finding[] {
  const key = name === 'secret-file' ? 'secret_file' : 'token_file';
  const broken = problems.filter((problem) => problem.key.endsWith(key));
  const [first, ...others] = broken.map(fixOf);
  if (first !== undefined) {
    const evidence = broken.map(({ place, message }) => `${place}: ${message}`);
    return [
      fail(name, {
        summary: `${broken[0]?.key}: the file cannot be used`,
        evidence,
        fix: [first, ...others],
      }),
    ];
  }
  const named = files.filter(({ check }) => check === name);
  if (named.length > 0) return named.map((facts) => secretFile(name, facts));
  const why =
    file === undefined
      ? 'no configuration was given'
      : problems.length > 0
        ? 'the configuration has problems'
        : `no ${key} is set`;
  return [skip(name, why)];
}

function secretFile(name: CheckName, { key, path, mode, detail }: SecretFileFacts): Finding {
  if (mode === undefined) {
    return fail(name, {
      summary: `${key}: the file cannot be looked at`,
      evidence: [`${path}: ${detail}`],
      fix: [`${key}: ${createSecret(path)}`],
    });
  }
  const shown = `${path}: mode ${mode.toString(8).padStart(4, '0')}`;
  if ((mode & 0o007) !== 0) {
    // SeaweedFS's own file is often left open by its packages; the secret of this program is ours to guard.
    const trouble = key === 'seaweedfs.security_toml' ? warn : fail;
    return trouble(name, {
      summary: `${key}: every user of this machine can open it`,
      evidence: [shown],
      fix: [`chmod 600 ${path}`, 'replace the secret if others have accounts on this machine'],
    });
  }
  if ((mode & 0o070) !== 0) {
    return ok(name, `${key}: readable by its owner and its group`, [shown]);
  }
  return ok(name, `${key}: readable by its owner alone`, [shown]);
}
