/** The search for faults in the native sources: what it tells, and which sources it looks at again. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'tidy-native.ts');
const scratch = scratchFolder();
const mended = join(scratch.folder, 'mended');
/** Finds a fault in one source until that is mended. */
const finder = scratch.write(
  'finder',
  `#!/bin/sh
for source; do :; done
case $source in */protocol/status.cc) test -e ${mended} || { echo "$source:1:2: error: odd"; exit 1; } ;; esac
`,
  0o700,
);

function tidy(...args: readonly string[]): Promise<Ended> {
  const build = ['--build', join(scratch.folder, 'build')];
  return runCommand(process.execPath, [script, ...build, ...args], { CLANG_TIDY: finder });
}

const first = await tidy();

describe.skipIf(first.status === 69)(`tidy-native ${first.stderr}`, () => {
  const count = Number(/of (\d+) sources/.exec(first.stdout)?.[1]);

  test('tells the faults of every source, tests left out', () => {
    expect(first).toMatchObject({ status: 1, stderr: '' });
    expect(count).toBeGreaterThan(30);
    expect(first.stdout).toBe(
      `clang-tidy: ${count} of ${count} sources\nnative/protocol/status.cc:1:2: error: odd\n`,
    );
  });

  test('looks again only where it found one, until it finds none', async () => {
    expect((await tidy()).stdout).toContain(`clang-tidy: 1 of ${count} sources\n`);
    scratch.write('mended', '');
    expect(await tidy()).toMatchObject({
      status: 0,
      stdout: `clang-tidy: 1 of ${count} sources\n`,
    });
    expect(await tidy()).toMatchObject({
      status: 0,
      stdout: `clang-tidy: 0 of ${count} sources\n`,
    });
    expect((await tidy('--all')).stdout).toBe(`clang-tidy: ${count} of ${count} sources\n`);
  }, 60_000);
});
