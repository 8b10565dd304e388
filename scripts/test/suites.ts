import { join } from 'node:path';
import { root } from '../setup/pinned-node.mjs';
import { type Check, runChecks } from './checks-suite.ts';
import { type NativeBuild, nativeSuite } from './native-suite.ts';
import { newestUcxContract, newestUcxSuite } from './newest-ucx-suite.ts';
import type { Suite } from './suite.ts';
import { runVerbsSuite, runVerbsWhole } from './verbs-suite.ts';
import { runClientsSuite, runUnitSuite, vitestSuite } from './vitest-suite.ts';

const typeChecks: readonly Check[] = ['tsconfig.json', join('scripts', 'tsconfig.json')].map(
  (file) => ['tsc', '-p', file, '--noEmit'],
);
const lintChecks: readonly Check[] = [
  ['biome', 'check', '.'],
  ['node', join(root, 'scripts', 'format-native.ts'), '--check'],
];
const tidyChecks: readonly Check[] = [['node', join(root, 'scripts', 'tidy-native.ts')]];
const plain: NativeBuild = { folder: 'build-test', sanitize: '' };
const sanitized: NativeBuild = { folder: 'build-asan', sanitize: 'address,undefined' };
const threads: NativeBuild = { folder: 'build-tsan', sanitize: 'thread' };

/** In the order of their output. */
export const suites: readonly Suite[] = [
  {
    name: 'types',
    tells: 'tsc over src, bench, test and scripts',
    beside: (print) => runChecks(typeChecks, print),
  },
  {
    name: 'lint',
    tells: 'biome; clang-format over the native sources',
    beside: (print) => runChecks(lintChecks, print),
  },
  {
    name: 'tidy',
    tells: 'clang-tidy over the native sources that changed since it found nothing in them',
    beside: (print) => runChecks(tidyChecks, print),
  },
  { name: 'native', tells: 'gtest programs', ...nativeSuite(plain) },
  {
    name: 'native-sanitized',
    tells: 'the same under ASan and UBSan',
    ...nativeSuite(sanitized),
  },
  {
    name: 'ucx-newest',
    tells: 'the contract of the fetcher under the newest UCX',
    ...newestUcxContract(false),
  },
  { name: 'vitest', tells: 'all of src, bench and test', ...vitestSuite() },
  {
    name: 'verbs',
    tells: 'reads of all sizes over a RoCE device in software, in a virtual machine',
    alone: (print) => runVerbsSuite(['test/verbs/device'], print),
  },
  { name: 'clients', tells: "SeaweedFS's own clients, by WEED_BIN", alone: runClientsSuite },
  // Not run by default: the first two take minutes, the next has no other tests than native, the last none that vitest has not.
  {
    name: 'ucx-newest-whole',
    tells:
      'the same with histories, hostile inputs and the gtest programs of sessions and UCX; by name only',
    isExtra: true,
    ...newestUcxSuite(plain),
  },
  {
    name: 'verbs-whole',
    tells:
      "the same, the fetcher's contract, faults, sessions, tools and a history; by name only (npm run test:verbs)",
    isExtra: true,
    alone: runVerbsWhole,
  },
  {
    name: 'native-tsan',
    tells: 'native under TSan; by name only',
    isExtra: true,
    ...nativeSuite(threads),
  },
  {
    name: 'unit',
    tells: 'src and the house rules; by name only',
    isExtra: true,
    beside: runUnitSuite,
  },
];

/** The names of the suites that `--fast` runs. */
export const fast: readonly string[] = ['types', 'lint', 'unit'];
