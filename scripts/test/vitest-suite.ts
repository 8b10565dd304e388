/**
 * Runs vitest and counts from its JSON report. A file that cannot be loaded and an error outside any test count as failed
 * tests. A file that failed while other suites took its time is run again alone, and the sum says how many were.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { binFolder, pinnedEnv, pinnedNode, root } from '../setup/pinned-node.mjs';
import { runProgram } from './children.ts';
import { addCounts, type Counts, noCounts, sumOf } from './counts.ts';
import type { Print, SuiteParts } from './suite.ts';

/** The part of vitest's report that is counted. */
interface Report {
  readonly testResults: readonly FileReport[];
}

interface FileReport {
  /** The file's whole path. */
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

/** The vitest configuration, from the root, that runs SeaweedFS's own clients. */
const clientsConfig = 'test/clients/vitest.config.ts';

type Project = 'unit' | 'beside' | 'alone';

/** More files than these have a cause that no second run removes. */
const runAgainMax = 4;

/**
 * The tests in src/, bench/ and test/, by the projects of vitest.config.ts. A few files that fail beside others are not counted then: they run
 * again after those that must be alone, as a busy machine is no fault of theirs.
 */
export function vitestSuite(folder: string = root): SuiteParts {
  const at = ['--root', folder];
  return parts({
    folder,
    beside: [...at, ...projectOptions(['unit', 'beside'])],
    again: at,
    alone: [...at, ...projectOptions(['alone'])],
  });
}

/** The contract that all fetchers keep, with the libraries of that folder; `isWhole`: histories and hostile inputs as well. */
export function contractSuite(libraries: string, isWhole: boolean): SuiteParts {
  const env = { LD_LIBRARY_PATH: libraries };
  const common = { folder: root, beside: ['test/contract/'], again: [], env };
  return parts(isWhole ? { ...common, alone: ['test/history/', 'test/hostile/'] } : common);
}

interface PartOptions {
  readonly folder: string;
  readonly beside: readonly string[];
  /** Options of the second run of a file that failed. */
  readonly again: readonly string[];
  /** Absent: none has to be alone. */
  readonly alone?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

function parts({ folder, beside, again, alone, env = {} }: PartOptions): SuiteParts {
  let failedFiles: readonly string[] = [];
  return {
    async beside(print) {
      const tested = await runVitest(beside, print, env);
      const failed = tested.files.filter(({ counts }) => counts.failed > 0);
      if (!tested.isWhole || failed.length > runAgainMax) return countsOf(tested);
      failedFiles = failed.map(({ path }) => relative(folder, path));
      return sumFiles(tested.files.filter((file) => !failed.includes(file)));
    },
    async alone(print) {
      const counts =
        alone === undefined ? noCounts() : countsOf(await runVitest(alone, print, env));
      if (failedFiles.length === 0) return counts;
      const list = failedFiles.join('\n');
      print(`\nrun again, alone, as they failed beside others:\n${list}\n`);
      const tested = await runVitest([...again, '--maxWorkers=1', ...failedFiles], print, env);
      addCounts(counts, { ...countsOf(tested), filesRunAgain: failedFiles.length });
      return counts;
    },
  };
}

function projectOptions(projects: readonly Project[]): readonly string[] {
  return projects.flatMap((project) => ['--project', project]);
}

/** Unit tests of src/, and the house rules. */
export async function runUnitSuite(print: Print): Promise<Counts> {
  return countsOf(await runVitest(['src/', 'test/house.test.ts'], print));
}

/** Real clients of SeaweedFS through target and proxy, where `WEED_BIN` names its program. */
export async function runClientsSuite(print: Print): Promise<Counts> {
  if ((process.env['WEED_BIN'] ?? '') !== '')
    return countsOf(await runVitest(['--config', clientsConfig], print));
  print('skipped: WEED_BIN names no SeaweedFS program (weed), so there are no clients to run\n');
  return { ...noCounts(), skipped: 1 };
}

interface TestedFile {
  readonly path: string;
  readonly counts: Counts;
}

interface Tested {
  readonly files: readonly TestedFile[];
  /** False after an error that belongs to no file. */
  readonly isWhole: boolean;
}

let reportCount = 0;

async function runVitest(
  options: readonly string[],
  print: Print,
  env: NodeJS.ProcessEnv = {},
): Promise<Tested> {
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
    env: {
      ...pinnedEnv(),
      // The tests start hundreds of processes, each of which would compile the same modules.
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
      ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
      ...env,
    },
    print,
  });
  const files = testedFiles(report);
  rmSync(report, { force: true });
  const hasFailed = files.some(({ counts }) => counts.failed > 0);
  return { files, isWhole: files.length > 0 && hasFailed === (status !== 0) };
}

/** The counts of a report that vitest wrote elsewhere. */
export function reportCounts(report: string): Counts {
  return sumFiles(testedFiles(report));
}

function testedFiles(report: string): readonly TestedFile[] {
  if (!existsSync(report)) return [];
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return testResults.map((file) => ({ path: file.name, counts: countFile(file) }));
}

function countFile({ status, assertionResults }: FileReport): Counts {
  const counts = noCounts();
  for (const test of assertionResults) {
    if (test.status === 'passed') counts.passed += 1;
    else if (test.status === 'failed') counts.failed += 1;
    else counts.skipped += 1;
  }
  if (status === 'failed' && counts.failed === 0) counts.failed = 1;
  return counts;
}

function countsOf({ files, isWhole }: Tested): Counts {
  const counts = sumFiles(files);
  if (!isWhole || counts.passed === 0) counts.failed += 1;
  return counts;
}

function sumFiles(files: readonly TestedFile[]): Counts {
  return sumOf(files.map(({ counts }) => counts));
}
