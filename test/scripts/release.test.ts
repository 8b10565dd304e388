/** The release script in scratch repositories: what stops it, what a dry run shows, what a release leaves behind. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { versionPlaces } from '../../scripts/release/version.ts';
import { type Ended, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const root = join(import.meta.dirname, '..', '..');
const scratch = scratchFolder();
const checkout = join(scratch.folder, 'checkout');
/** Git's own variables would lead it out of the scratch folder when these tests run in a hook. */
const environment = {
  GIT_DIR: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_WORK_TREE: undefined,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
};
const { version: current } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
};

/** The files that a release changes, with steps of a package that has nothing to test and one file to build. */
beforeEach(async () => {
  rmSync(checkout, { recursive: true, force: true });
  for (const file of ['CHANGELOG.md', ...versionPlaces.map((place) => place.file)]) {
    mkdirSync(dirname(join(checkout, file)), { recursive: true });
    cpSync(join(root, file), join(checkout, file));
  }
  writePackage({ test: 'echo', build: 'mkdir dist && echo new > dist/new.js' });
  scratch.write(
    'checkout/package-lock.json',
    JSON.stringify({
      name: 'seaweed-rdma',
      version: current,
      lockfileVersion: 3,
      packages: { '': { version: current } },
    }),
  );
  scratch.write('checkout/.gitignore', 'dist\n*.tgz\nnode_modules\n');
  scratch.write('checkout/dist/stale.js', '');
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  await git('init', '--quiet', '--initial-branch', 'main');
  await git('config', 'user.name', 'A person');
  await git('config', 'user.email', 'person@example.com');
  await commitAll();
});

function writePackage(scripts: Readonly<Record<string, string>>): void {
  const content = { name: 'seaweed-rdma', version: current, files: ['dist'], scripts };
  scratch.write('checkout/package.json', JSON.stringify(content, null, 2));
}

async function git(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCommand('git', args, environment, checkout);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

async function commitAll(): Promise<void> {
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'start');
}

function parsed(file: string): unknown {
  return JSON.parse(readFileSync(join(checkout, file), 'utf8'));
}

function release(...args: readonly string[]): Promise<Ended> {
  const script = join(root, 'scripts', 'release.ts');
  return runCommand(process.execPath, [script, ...args], environment, checkout);
}

async function isUntouched(): Promise<boolean> {
  const log = await git('log', '--format=%s');
  return log === 'start' && (await git('status', '--porcelain')) === '';
}

describe('a dry run', () => {
  test('shows what a release would change and run, and changes nothing', async () => {
    const { status, stdout } = await release('999.0.0', '--dry-run');
    expect(status).toBe(0);
    for (const { file } of versionPlaces) expect(stdout).toContain(`would write ${file}\n`);
    expect(stdout).toContain('would write package.json\n');
    expect(stdout).toContain('would run npm test -- --fast\n');
    expect(stdout).toContain('would commit "release: 999.0.0" and tag it v999.0.0');
    expect(await isUntouched()).toBe(true);
    expect(await git('tag')).toBe('');
  });

  test('names all that stands against it', async () => {
    await git('checkout', '--quiet', '-b', 'work');
    await git('tag', 'v999.0.0');
    scratch.write('checkout/README.md', 'changed');
    await git('stash', '--quiet');
    scratch.write('checkout/new.txt', '');
    const { status, stdout } = await release('999.0.0', '--dry-run');
    expect(status).toBe(1);
    expect(stdout).toContain('would stop: the branch is work, not main\n');
    expect(stdout).toContain('would stop: the tree is not clean:\n?? new.txt\n');
    expect(stdout).toContain('would stop: the tag v999.0.0 is there already\n');
  });
});

describe('a release', () => {
  test('is a commit and a tag with the version everywhere, and a package without stale files', async () => {
    const { status, stderr } = await release('999.0.0');
    expect(stderr).not.toContain('release:');
    expect(status).toBe(0);
    expect(await git('log', '--format=%s')).toBe('release: 999.0.0\nstart');
    expect(await git('describe', '--exact-match')).toBe('v999.0.0');
    expect(await git('status', '--porcelain')).toBe('');
    const lock = parsed('package-lock.json') as { packages: { '': object } };
    for (const named of [parsed('package.json'), lock, lock.packages['']]) {
      expect(named).toMatchObject({ version: '999.0.0' });
    }
    for (const { file, before } of versionPlaces) {
      expect(readFileSync(join(checkout, file), 'utf8')).toContain(`${before}999.0.0`);
    }
    const tarball = join(checkout, 'seaweed-rdma-999.0.0.tgz');
    const { stdout } = await runCommand('tar', ['-tzf', tarball]);
    expect(stdout).toContain('package/dist/new.js');
    expect(stdout).not.toContain('stale.js');
    expect((await release('999.0.0', '--notes')).stdout).toContain('- ');
  });

  test('whose tests fail puts every file back', async () => {
    writePackage({ test: 'exit 3' });
    await git('commit', '--quiet', '--all', '--amend', '--message', 'start');
    const { status, stderr } = await release('999.0.0');
    expect(status).toBe(1);
    expect(stderr).toContain('release: npm test -- --fast: ended with 3');
    expect(await isUntouched()).toBe(true);
    expect(existsSync(join(checkout, 'dist', 'stale.js'))).toBe(true);
  });

  test('stops before anything for a dirty tree, another branch, an old version', async () => {
    expect((await release(current)).stderr).toContain(`${current} is not above ${current}`);
    scratch.write('checkout/new.txt', '');
    expect((await release('999.0.0')).stderr).toContain('release: the tree is not clean');
    rmSync(join(checkout, 'new.txt'));
    await git('checkout', '--quiet', '-b', 'work');
    const { status, stderr } = await release('999.0.0');
    expect(stderr).toContain('release: the branch is work, not main');
    expect(status).toBe(1);
    expect(await isUntouched()).toBe(true);
  });

  test('asked for wrongly shows how to ask', async () => {
    for (const args of [[], ['1.0.0', '2.0.0'], ['1.0.0', '--dryrun']]) {
      const { status, stderr } = await release(...args);
      expect(status).toBe(2);
      expect(stderr).toContain('npm run release -- VERSION [--dry-run]');
    }
    const { status, stdout } = await release('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('It pushes nothing.');
  });
});
