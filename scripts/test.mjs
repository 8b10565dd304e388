// Every test: types, lint and format, native tests (plain, then under ASan and UBSan), vitest, real clients of SeaweedFS.
// Each suite runs whatever the ones before it did; the last line is the sum. `npm test -- --only types,vitest` runs some of them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { binFolder, continueUnderPinnedNode, pinnedEnv, root } from './setup/pinned-node.mjs';
import { runNativeSuite } from './test/native-suite.mjs';
import { runClientsSuite, runVitestSuite } from './test/vitest-suite.mjs';

continueUnderPinnedNode();

const suites = [
  { name: 'types', run: () => runCheck('tsc', ['-p', 'tsconfig.json', '--noEmit']) },
  { name: 'lint', run: () => runCheck('biome', ['check', '.']) },
  { name: 'native', run: () => runNativeSuite({ folder: 'build-test', sanitize: '' }) },
  {
    name: 'native-sanitized',
    run: () => runNativeSuite({ folder: 'build-asan', sanitize: 'address,undefined' }),
  },
  { name: 'vitest', run: runVitestSuite },
  { name: 'clients', run: runClientsSuite },
];

const only = onlyArgument();
const sum = { passed: 0, failed: 0, skipped: 0 };
const rows = [];
for (const suite of suites.filter((each) => only === undefined || only.includes(each.name))) {
  console.log(`\n== ${suite.name}`);
  const startedAt = Date.now();
  const counts = suite.run();
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  for (const key of Object.keys(sum)) sum[key] += counts[key];
  rows.push(`${suite.name.padEnd(18)} ${describe(counts)} in ${seconds} s`);
}
console.log(`\n${rows.join('\n')}`);
console.log(describe(sum));
process.exitCode = sum.failed === 0 && sum.passed + sum.skipped > 0 ? 0 : 1;

function describe(counts) {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

function runCheck(command, args) {
  const result = spawnSync(join(binFolder, command), args, {
    cwd: root,
    env: pinnedEnv(),
    stdio: 'inherit',
  });
  const isGood = result.status === 0;
  return { passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: 0 };
}

function onlyArgument() {
  const at = process.argv.indexOf('--only');
  if (at === -1) return undefined;
  const names = (process.argv[at + 1] ?? '').split(',');
  const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
  if (unknown === undefined) return names;
  console.error(
    `--only ${unknown}: the suites are ${suites.map((suite) => suite.name).join(', ')}`,
  );
  process.exit(2);
}
