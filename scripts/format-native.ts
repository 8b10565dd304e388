/**
 * Lays the native sources out as .clang-format says: node scripts/format-native.ts [--check] [FILE…]
 * With --check it changes nothing and fails where a file would change. Without files: all below native/ and bench/native/.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clangFormat } from './setup/clang-tools.ts';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const command = clangFormat();
if (command === undefined) {
  console.error('there is no clang-format: npm run setup fetches it, or CLANG_FORMAT names one');
  // The lint suite and the hook tell this from a file that is not laid out.
  process.exit(69);
}
const files = positionals.length > 0 ? positionals : nativeSources();
const style = `--style=file:${join(root, '.clang-format')}`;
const mode = values.check ? ['--dry-run', '-Werror'] : ['-i'];
const { status, error } = spawnSync(command, [style, ...mode, ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (error !== undefined) console.error(`${command}: ${error.message}`);
if (status !== 0 && values.check) console.error('lay them out: npm run format:native');
process.exitCode = status === 0 ? 0 : 1;

function nativeSources(): readonly string[] {
  return ['native', join('bench', 'native')].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(cc|h)$/.test(name))
      .map((name) => join(folder, name)),
  );
}
