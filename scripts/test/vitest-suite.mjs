// Runs vitest and counts from its JSON report. A file that cannot be loaded and an error outside any test count as failed
// tests.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binFolder, pinnedEnv, pinnedNode, root } from '../setup/pinned-node.mjs';

/** The vitest configuration, from the root, that runs SeaweedFS's own clients. */
const clientsConfig = 'test/clients/vitest.config.ts';

/** Runs the tests in src/, bench/ and test/. */
export function runVitestSuite() {
  return runVitest([]);
}

/** Unit tests of src/, and the house rules. */
export function runUnitSuite() {
  return runVitest(['src/', 'test/house.test.ts']);
}

/** Real clients of SeaweedFS through target and proxy, where `WEED_BIN` names its program. */
export function runClientsSuite() {
  if ((process.env.WEED_BIN ?? '') !== '') return runVitest(['--config', clientsConfig]);
  console.log(
    'skipped: WEED_BIN names no SeaweedFS program (weed), so there are no clients to run',
  );
  return { passed: 0, failed: 0, skipped: 1 };
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
function runVitest(options) {
  const report = join(tmpdir(), `seaweed-rdma-vitest-${process.pid}.json`);
  const args = [
    join(binFolder, 'vitest'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${report}`,
    ...options,
  ];
  const result = spawnSync(pinnedNode, args, { cwd: root, env: pinnedEnv(), stdio: 'inherit' });
  const counts = countReport(report);
  rmSync(report, { force: true });
  if (result.status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed === 0) counts.failed += 1;
  return counts;
}

function countReport(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (!existsSync(report)) return counts;
  for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed += 1;
      else if (test.status === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    const hasFailedTest = file.assertionResults.some((test) => test.status === 'failed');
    if (file.status === 'failed' && !hasFailedTest) counts.failed += 1;
  }
  return counts;
}
