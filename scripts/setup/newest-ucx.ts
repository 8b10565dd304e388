/** The newest UCX, beside the distribution's: PyPI carries its libraries, without those for verbs. Tests run under it as well. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';

export const newestUcxVersion = '1.22.0';
const folder = join(import.meta.dirname, '..', '..', 'build', 'tools', 'ucx');
const libraries = join(folder, 'libucx', 'lib');

/** For `LD_LIBRARY_PATH`; undefined: they were not fetched. */
export function newestUcxLibraries(): string | undefined {
  return existsSync(join(libraries, 'libucp.so.0')) ? libraries : undefined;
}

export async function ensureNewestUcx(say: (line: string) => void): Promise<void> {
  const stamp = join(folder, '.stamp');
  if (isStamped(stamp, newestUcxVersion) && newestUcxLibraries() !== undefined) {
    return say(`UCX ${newestUcxVersion} for tests: up to date`);
  }
  if (process.arch !== 'x64' || spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) {
    return say(`UCX ${newestUcxVersion} for tests: not fetched (no pip, or not x86-64)`);
  }
  const { ok, output } = await runStep(
    `UCX ${newestUcxVersion} for tests (pip install)`,
    'python3',
    [
      ...['-m', 'pip', 'install', '--quiet', '--retries', '0', '--timeout', '15', '--no-deps'],
      ...['--upgrade', '--target', folder, `libucx-cu12==${newestUcxVersion}`],
    ],
  );
  if (ok) return writeStamp(stamp, newestUcxVersion);
  console.error(tail(output));
  console.log('no tests run under the newest UCX');
}
