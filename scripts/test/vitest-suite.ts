/**
 * Runs vitest and counts from its JSON report. A file that cannot be loaded and an error outside any test count as failed
 * tests.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binFolder, pinnedEnv, pinnedNode } from '../setup/pinned-node.mjs';
import { runProgram } from './children.ts';
import { type Counts, noCounts } from './counts.ts';
import type { Print } from './suite.ts';

/** The part of vitest's report that is counted. */
interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** The vitest configuration, from the root, that runs SeaweedFS's own clients. */
const clientsConfig = 'test/clients/vitest.config.ts';

type Project = 'unit' | 'beside' | 'alone';

/** Runs the tests in src/, bench/ and test/ that belong to these projects of vitest.config.ts. */
export function runVitestProjects(projects: readonly Project[], print: Print): Promise<Counts> {
  return runVitest(
    projects.flatMap((project) => ['--project', project]),
    print,
  );
}

/** Unit tests of src/, and the house rules. */
export function runUnitSuite(print: Print): Promise<Counts> {
  return runVitest(['src/', 'test/house.test.ts'], print);
}

/** Real clients of SeaweedFS through target and proxy, where `WEED_BIN` names its program. */
export async function runClientsSuite(print: Print): Promise<Counts> {
  if ((process.env['WEED_BIN'] ?? '') !== '') return runVitest(['--config', clientsConfig], print);
  print('skipped: WEED_BIN names no SeaweedFS program (weed), so there are no clients to run\n');
  return { passed: 0, failed: 0, skipped: 1 };
}

let reportCount = 0;

async function runVitest(options: readonly string[], print: Print): Promise<Counts> {
  reportCount += 1;
  const report = join(tmpdir(), `seaweed-rdma-vitest-${process.pid}-${reportCount}.json`);
  const { status } = await runProgram({
    command: pinnedNode,
    args: [
      join(binFolder, 'vitest'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
      ...options,
    ],
    env: { ...pinnedEnv(), ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}) },
    print,
  });
  const counts = countReport(report);
  rmSync(report, { force: true });
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed === 0) counts.failed += 1;
  return counts;
}

function countReport(report: string): Counts {
  const counts = noCounts();
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
