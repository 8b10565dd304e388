/** Runs under the newest UCX what was built with the distribution's, as an installed program may. */
import { join } from 'node:path';
import { newestUcxLibraries, newestUcxVersion } from '../setup/newest-ucx.ts';
import { pinnedNode, root } from '../setup/pinned-node.mjs';
import { runQuietly } from './children.ts';
import { type Counts, noCounts, sumOf } from './counts.ts';
import { type NativeBuild, nativeSuite } from './native-suite.ts';
import type { Print, Suite } from './suite.ts';
import { runContractWith } from './vitest-suite.ts';

const programs = ['client_test', 'server_test', 'stream_test', 'ucx_test'];

export function newestUcxSuite(build: NativeBuild): Required<Pick<Suite, 'beside' | 'alone'>> {
  const folder = newestUcxLibraries();
  const native = nativeSuite(build, { folder, programs });
  return {
    beside: async (print) =>
      folder === undefined
        ? runNewestUcx(print)
        : sumOf(await Promise.all([native.beside(print), runNewestUcx(print)])),
    alone: native.alone,
  };
}

/** The contract of the fetcher. */
export async function runNewestUcx(print: Print): Promise<Counts> {
  const folder = newestUcxLibraries();
  if (folder === undefined) {
    print('skipped: the newest UCX was not fetched (npm run setup says why)\n');
    return { ...noCounts(), skipped: 1 };
  }
  const loaded = await loadedVersion(folder);
  if (loaded === newestUcxVersion) return runContractWith(folder, print);
  print(`UCX ${newestUcxVersion} is in ${folder}, and ${loaded} was loaded\n`);
  return { ...noCounts(), failed: 1 };
}

/** Undefined: the program said none. */
async function loadedVersion(folder: string): Promise<string | undefined> {
  const { output } = await runQuietly({
    command: pinnedNode,
    args: [join(root, 'dist', 'main.js'), 'capabilities'],
    env: { ...process.env, LD_LIBRARY_PATH: folder },
  });
  return /^ *ucx: (\S+)$/m.exec(output)?.[1];
}
