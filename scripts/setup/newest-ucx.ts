/** The newest UCX, beside the distribution's: PyPI carries its libraries, without those for verbs. Tests run under it as well. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasPip, pipInstall } from './pip.ts';
import { isStamped, writeStamp } from './stamp.mjs';

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
  if (process.arch !== 'x64' || !hasPip()) {
    return say(`UCX ${newestUcxVersion} for tests: not fetched (no pip, or not x86-64)`);
  }
  const wanted = `libucx-cu12==${newestUcxVersion}`;
  if (await pipInstall(`UCX ${newestUcxVersion} for tests`, folder, [wanted])) {
    return writeStamp(stamp, newestUcxVersion);
  }
  console.log('no tests run under the newest UCX');
}
