/** The check of the native sources' format: what it refuses, and what it says where there is no clang-format. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const root = join(import.meta.dirname, '..', '..');
const scratch = scratchFolder();

function formatNative(args: readonly string[], clangFormat?: string): Promise<Ended> {
  const script = join(root, 'scripts', 'format-native.ts');
  const environment = clangFormat === undefined ? {} : { CLANG_FORMAT: clangFormat };
  return runCommand(process.execPath, [script, ...args], environment);
}

const isThere = (await formatNative(['--check'])).status !== 69;

describe.skipIf(!isThere)('format-native', () => {
  test('refuses a file that is not laid out, and lays it out by the .clang-format of the checkout', async () => {
    const long = `${'a'.repeat(30)} + ${'b'.repeat(30)}`;
    const file = scratch.write('odd.cc', `int  f( ){return ${long};}\n`);
    const refused = await formatNative(['--check', file]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('odd.cc:1:');
    expect(refused.stderr).toContain('npm run format:native');
    expect((await formatNative([file])).status).toBe(0);
    // 83 columns: LLVM's own style would have broken them at 80.
    expect(readFileSync(file, 'utf8')).toBe(`int f() { return ${long}; }\n`);
    expect((await formatNative(['--check', file])).status).toBe(0);
  });

  test('says which program it could not start', async () => {
    const missing = join(scratch.folder, 'none');
    const ended = await formatNative(['--check'], missing);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(missing);
  });
});
