/**
 * Builds the version before this one, from the checkout's own history: tests let it talk with this one. It is the newest
 * release, and before the first release a commit that was published.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedEnv, root } from './pinned-node.mjs';
import { previousPlace } from './previous-place.ts';
import { hashOf, isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';
import { toolVersions } from './system-packages.mjs';

const beforeReleases = '1372b54766f99047ba17918bbfd16ad8eb791c0f';
const { folder, stamp } = previousPlace;

export async function ensurePreviousVersion(say: (line: string) => void): Promise<void> {
  const commit = git('rev-list', '--max-count=1', newestRelease() ?? beforeReleases);
  if (commit === undefined) {
    return say('previous version: not built (the history of the checkout does not reach it)');
  }
  const hash = hashOf(root, ['package-lock.json'], `${commit} ${toolVersions()}`);
  if (isStamped(stamp, hash)) return say('previous version: up to date');
  for (const old of [stamp, folder]) rmSync(old, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = `git ${trusted.join(' ')} archive "$1" | tar -x -C "$2"`;
  const unpack = ['-o', 'pipefail', '-c', archive, 'archive', commit, folder];
  if (!(await step('unpack', 'bash', unpack, root))) return;
  linkNodeModules();
  const setup = [join(folder, 'scripts', 'setup.mjs'), '--quiet'];
  if (await step('build', process.execPath, setup, folder)) writeStamp(stamp, hash);
}

/** Undefined: there is none before this commit. */
function newestRelease(): string | undefined {
  const tags = ['--merged', 'HEAD', '--no-contains', 'HEAD', '--sort=-version:refname'];
  return git('tag', '--list', 'v*', ...tags)?.split('\n')[0] || undefined;
}

/** Those of this version, where both lock the same. */
function linkNodeModules(): void {
  const [here, there] = [root, folder].map((at) => readFileSync(join(at, 'package-lock.json')));
  if (here?.equals(there as Buffer)) {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  }
}

async function step(
  name: string,
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<boolean> {
  const { ok, output } = await runStep(`previous version (${name})`, command, args, {
    cwd,
    env: pinnedEnv(),
  });
  if (!ok) {
    console.error(tail(output));
    console.log('no tests run against the previous version');
  }
  return ok;
}

/** A checkout may be another user's. */
const trusted = ['-c', `safe.directory=${root}`];

function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', [...trusted, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}
