// The Node that the project pins (the npm package `node`) and how to get a script under it: a shell that has looked up
// `node` before set-up keeps the system's one for the rest of its line, so that PATH alone is not enough.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const binFolder = join(root, 'node_modules', '.bin');
export const pinnedNode = join(binFolder, 'node');

/**
 * Node's version as package.json pins it, for example 24.21.0.
 *
 * @returns {string}
 */
export function pinnedVersion() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node;
}

/** @returns {NodeJS.ProcessEnv} */
export function pinnedEnv() {
  return { ...process.env, PATH: `${binFolder}${delimiter}${process.env['PATH'] ?? ''}` };
}

/** The version that node_modules/.bin/node answers, '' if it does not run. */
export function installedVersion() {
  if (!existsSync(pinnedNode)) return '';
  const result = spawnSync(pinnedNode, ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim().replace(/^v/, '') : '';
}

/** Runs this process's script again under the pinned Node and ends with its exit code; returns if already there. */
export function continueUnderPinnedNode() {
  if (process.versions.node === pinnedVersion()) return;
  if (!existsSync(pinnedNode)) {
    console.error('the pinned Node is not installed: run npm run setup');
    process.exit(1);
  }
  const args = [...process.execArgv, ...process.argv.slice(1)];
  const result = spawnSync(pinnedNode, args, { stdio: 'inherit', env: pinnedEnv() });
  process.exit(result.status ?? 1);
}
