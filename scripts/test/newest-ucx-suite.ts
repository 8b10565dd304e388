/** Runs under the newest UCX what was built with the distribution's, as an installed program may. */
import { join } from 'node:path';
import { newestUcxLibraries, newestUcxVersion } from '../setup/newest-ucx.ts';
import { pinnedNode, root } from '../setup/pinned-node.mjs';
import { runQuietly } from './children.ts';
import { noCounts, sumOf } from './counts.ts';
import { type NativeBuild, nativeSuite } from './native-suite.ts';
import type { SuiteParts } from './suite.ts';
import { contractSuite } from './vitest-suite.ts';

const programs = ['client_test', 'server_test', 'stream_test', 'ucx_test'];

/** The contract of the fetcher, histories and hostile inputs, and the gtest programs that use UCX. */
export function newestUcxSuite(build: NativeBuild): SuiteParts {
  const folder = newestUcxLibraries();
  const native = nativeSuite(build, { folder, programs });
  const contract = newestUcxContract(true);
  return {
    beside: async (print) =>
      folder === undefined
        ? contract.beside(print)
        : sumOf(await Promise.all([native.beside(print), contract.beside(print)])),
    alone: async (print) => sumOf([await native.alone(print), await contract.alone(print)]),
  };
}

/** The contract of the fetcher; `isWhole`: histories and hostile inputs as well. */
export function newestUcxContract(isWhole: boolean): SuiteParts {
  const folder = newestUcxLibraries();
  if (folder === undefined) {
    return {
      beside: async (print) => {
        print('skipped: the newest UCX was not fetched (npm run setup says why)\n');
        return { ...noCounts(), skipped: 1 };
      },
      alone: async () => noCounts(),
    };
  }
  const contract = contractSuite(folder, isWhole);
  return {
    async beside(print) {
      const loaded = await loadedVersion(folder);
      if (loaded === newestUcxVersion) return contract.beside(print);
      print(`UCX ${newestUcxVersion} is in ${folder}, and ${loaded} was loaded\n`);
      return { ...noCounts(), failed: 1 };
    },
    alone: contract.alone,
  };
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
