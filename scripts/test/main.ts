/**
 * Every test: types, lint and format, native tests (plain, then under ASan and UBSan), vitest, real clients of SeaweedFS.
 * Each suite runs whatever the ones before it did; the last line is the sum. `npm test -- --help` says how to run some of them.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binFolder, pinnedEnv, root } from '../setup/pinned-node.mjs';
import { addCounts, type Counts } from './counts.ts';
import { runNativeSuite } from './native-suite.ts';
import { runClientsSuite, runUnitSuite, runVitestSuite } from './vitest-suite.ts';

interface Suite {
  readonly name: string;
  readonly tells: string;
  /** Not run by default. */
  readonly isExtra?: boolean;
  run(): Counts;
}

type Command = readonly [name: string, ...args: string[]];

const formatNative: Command = ['node', join(root, 'scripts', 'format-native.ts'), '--check'];
const projects = ['tsconfig.json', join('scripts', 'tsconfig.json')];
const suites: readonly Suite[] = [
  {
    name: 'types',
    tells: 'tsc over src, bench, test and scripts',
    run: () => runChecks(projects.map((file) => ['tsc', '-p', file, '--noEmit'])),
  },
  {
    name: 'lint',
    tells: 'biome; clang-format over the native sources',
    run: () => runChecks([['biome', 'check', '.'], formatNative]),
  },
  {
    name: 'native',
    tells: 'gtest programs',
    run: () => runNativeSuite({ folder: 'build-test', sanitize: '' }),
  },
  {
    name: 'native-sanitized',
    tells: 'the same under ASan and UBSan',
    run: () => runNativeSuite({ folder: 'build-asan', sanitize: 'address,undefined' }),
  },
  { name: 'vitest', tells: 'all of src, bench and test', run: runVitestSuite },
  { name: 'clients', tells: "SeaweedFS's own clients, by WEED_BIN", run: runClientsSuite },
  // Not run by default: the first has no other tests than native, the second none that vitest has not.
  {
    name: 'native-tsan',
    tells: 'native under TSan; by name only',
    isExtra: true,
    run: () => runNativeSuite({ folder: 'build-tsan', sanitize: 'thread' }),
  },
  {
    name: 'unit',
    tells: 'src and the house rules; by name only',
    isExtra: true,
    run: runUnitSuite,
  },
];
const fast = ['types', 'lint', 'unit'];

const usage = `npm test                       every suite, one after the other
npm test -- --fast             ${fast.join(', ')}: the loop of a person, under two minutes
npm test -- --only NAME[,NAME] some of them

${suites.map(({ name, tells }) => `  ${name.padEnd(18)}${tells}`).join('\n')}

One file or one test: CONTRIBUTING.md.`;

const chosen = chosenSuites();
const sum: Counts = { passed: 0, failed: 0, skipped: 0 };
const rows: string[] = [];
for (const suite of chosen) {
  console.log(`\n== ${suite.name}`);
  const startedAt = Date.now();
  const counts = suite.run();
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  addCounts(sum, counts);
  rows.push(`${suite.name.padEnd(18)} ${describe(counts)} in ${seconds} s`);
}
console.log(`\n${rows.join('\n')}`);
console.log(describe(sum));
process.exitCode = sum.failed === 0 && sum.passed + sum.skipped > 0 ? 0 : 1;

function describe(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/** A check that ends with 69 has not got what it needs. */
function runChecks(checks: readonly Command[]): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [command, ...args] of checks) {
    const { status } = spawnSync(join(binFolder, command), args, {
      cwd: root,
      env: pinnedEnv(),
      stdio: 'inherit',
    });
    if (status === 0) counts.passed += 1;
    else if (status === 69) counts.skipped += 1;
    else counts.failed += 1;
  }
  return counts;
}

function chosenSuites(): readonly Suite[] {
  const { help, fast: isFast, only } = options();
  if (help) {
    console.log(usage);
    process.exit(0);
  }
  if (isFast && only !== undefined) endWithUsage('--fast and --only: give one of them');
  if (isFast) return suites.filter(({ name }) => fast.includes(name));
  if (only === undefined) return suites.filter(({ isExtra }) => !isExtra);
  const names = only.split(',');
  const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
  if (unknown === undefined) return suites.filter(({ name }) => names.includes(name));
  return endWithUsage(
    `--only ${unknown}: the suites are ${suites.map((suite) => suite.name).join(', ')}`,
  );
}

function options(): { readonly help?: boolean; readonly fast?: boolean; readonly only?: string } {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        fast: { type: 'boolean' },
        only: { type: 'string' },
      },
    }).values;
  } catch (error) {
    return endWithUsage((error as Error).message);
  }
}

function endWithUsage(problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}
