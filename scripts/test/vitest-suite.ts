/**
 * Runs vitest and counts from its JSON report. A file that cannot be loaded and an error outside any test count as failed
 * tests.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binFolder, pinnedEnv, pinnedNode, root } from '../setup/pinned-node.mjs';
import type { Counts } from './counts.ts';

/** The part of vitest's report that is counted. */
interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** The vitest configuration, from the root, that runs SeaweedFS's own clients. */
const clientsConfig = 'test/clients/vitest.config.ts';

/** Runs the tests in src/, bench/ and test/. */
export function runVitestSuite(): Counts {
  return runVitest([]);
}

/** Unit tests of src/, and the house rules. */
export function runUnitSuite(): Counts {
  return runVitest(['src/', 'test/house.test.ts']);
}

/** Real clients of SeaweedFS through target and proxy, where `WEED_BIN` names its program. */
export function runClientsSuite(): Counts {
  if ((process.env['WEED_BIN'] ?? '') !== '') return runVitest(['--config', clientsConfig]);
  console.log(
    'skipped: WEED_BIN names no SeaweedFS program (weed), so there are no clients to run',
  );
  return { passed: 0, failed: 0, skipped: 1 };
}

function runVitest(options: readonly string[]): Counts {
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

function countReport(report: string): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (!existsSync(report)) return counts;
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const file of testResults) {
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
