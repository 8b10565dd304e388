/**
 * The hook that checks a commit (lefthook.yml). It is a person's: setup installs it in a git checkout, from a terminal. CI
 * and scripts get none, and where it cannot be installed set-up goes on without it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { binFolder, pinnedEnv, root } from './pinned-node.mjs';

export function ensureGitHook(say: (line: string) => void): void {
  if ((process.env['CI'] ?? '') !== '' || !process.stdout.isTTY) return;
  if (!existsSync(join(root, '.git'))) return;
  const { status, stderr, error } = spawnSync(join(binFolder, 'lefthook'), ['install'], {
    cwd: root,
    env: pinnedEnv(),
    encoding: 'utf8',
  });
  if (status === 0) {
    say('git hook: checks what is committed (lefthook.yml)');
    return;
  }
  const why = (error?.message ?? stderr).trim().split('\n').at(-1);
  console.log(`git hook: not installed, commits are not checked: ${why}`);
}
