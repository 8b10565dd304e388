/** The hook of a checkout: who gets it, what it refuses, and that set-up goes on where it cannot be installed. */
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { clangFormat } from '../../scripts/setup/clang-tools.ts';
import { type Ended, type Environment, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const root = join(import.meta.dirname, '..', '..');
const scratch = scratchFolder();
const checkout = join(scratch.folder, 'checkout');
const hook = join(checkout, '.git', 'hooks', 'pre-commit');
/** Git's own variables would lead it out of the scratch folder when these tests run in a hook. */
const ownGit = { GIT_DIR: undefined, GIT_INDEX_FILE: undefined, GIT_WORK_TREE: undefined };
const noSettings = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };

beforeEach(async () => {
  rmSync(checkout, { recursive: true, force: true });
  mkdirSync(checkout);
  const files = ['package.json', 'lefthook.yml', 'biome.json', 'tsconfig.json', '.clang-format'];
  for (const name of [
    ...files,
    'scripts/setup',
    'scripts/tsconfig.json',
    'scripts/format-native.ts',
  ]) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  scratch.write('checkout/.gitignore', 'node_modules\n');
  await git('init', '--quiet');
  await git('config', 'user.name', 'A person');
  await git('config', 'user.email', 'person@example.com');
});

function git(...args: readonly string[]): Promise<Ended> {
  const environment = { ...ownGit, ...noSettings, CLANG_FORMAT: clangFormat() };
  return runCommand('git', args, environment, checkout);
}

function setUp(isTerminal: boolean, environment: Environment = {}): Promise<Ended> {
  const program = `Object.defineProperty(process.stdout, 'isTTY', { value: ${isTerminal} });
const { ensureGitHook } = await import('./scripts/setup/git-hook.ts');
ensureGitHook(console.log);
console.log('went on');`;
  const args = ['--input-type=module', '--eval', program];
  const settings = { ...ownGit, ...noSettings, CI: undefined, ...environment };
  return runCommand(process.execPath, args, settings, checkout);
}

describe('the git hook', () => {
  test('is installed from a terminal, and not for CI or a script', async () => {
    expect(await setUp(true, { CI: 'true' })).toMatchObject({ status: 0, stdout: 'went on\n' });
    expect(await setUp(false)).toMatchObject({ status: 0, stdout: 'went on\n' });
    expect(existsSync(hook)).toBe(false);
    expect((await setUp(true)).stdout).toContain('git hook: checks what is committed');
    expect(existsSync(hook)).toBe(true);
  });

  test('that cannot be installed leaves set-up a line and no failure', async () => {
    rmSync(join(checkout, '.git'), { recursive: true });
    scratch.write('checkout/.git', 'gitdir: nowhere\n');
    const { status, stdout } = await setUp(true);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^git hook: not installed, commits are not checked: .+\nwent on\n$/s);
  });

  test('lets a good commit in and refuses a type error, a lint error and an odd layout', async () => {
    await setUp(true);
    scratch.write('checkout/src/good.ts', "export const word: string = 'good';\n");
    scratch.write('checkout/native/room/good.cc', 'int Good() { return 1; }\n');
    await git('add', '.');
    expect(await git('commit', '-m', 'good')).toMatchObject({ status: 0 });

    const odd = [
      ['src/types.ts', 'export const word: string = 1;\n', 'types'],
      ['src/lint.ts', "export const word: string = 'odd'\n", 'biome'],
      ['native/room/odd.cc', 'int  Odd( ){return 1;}\n', 'clang-format'],
      ['bench/native/odd.cc', 'int  Odd( ){return 1;}\n', 'clang-format'],
    ] as const;
    const isChecked = (job: string): boolean =>
      job !== 'clang-format' || clangFormat() !== undefined;
    for (const [name, content, job] of odd.filter(([, , job]) => isChecked(job))) {
      scratch.write(`checkout/${name}`, content);
      await git('add', '.');
      const { status, stdout, stderr } = await git('commit', '-m', name);
      const text = Buffer.from(`${stdout}${stderr}`, 'latin1').toString('utf8');
      expect(text).toMatch(new RegExp(`🥊 ${job} `));
      expect(status).toBe(1);
      await git('rm', '--quiet', '-f', name);
    }
  });
});
