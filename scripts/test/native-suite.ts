/**
 * Builds the native tests in their own build directory and runs every gtest program there, counting from gtest's own
 * JSON report. A program that dies or hangs counts as one more failed test.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup/pinned-node.mjs';
import { compiler } from '../setup/system-packages.mjs';
import { runQuietly } from './children.ts';
import { type Counts, describeCounts, noCounts, sumOf } from './counts.ts';
import type { Print, SuiteParts } from './suite.ts';

export interface NativeBuild {
  /** From the root. */
  readonly folder: string;
  /** '' or what -fsanitize= takes. */
  readonly sanitize: string;
}

/** Libraries that the programs load instead of those with which they were built. */
export interface OtherLibraries {
  /** For `LD_LIBRARY_PATH`; undefined: they are not there. */
  readonly folder: string | undefined;
  /** The programs that use them. */
  readonly programs: readonly string[];
}

/** The part of gtest's report that is counted. */
interface Report {
  readonly testsuites: readonly {
    readonly testsuite: readonly { readonly failures?: unknown; readonly result: string }[];
  }[];
}

const programTimeoutMs = 600_000;
/**
 * The programs that run at the same time: they wait more than they compute. gtest's own sharding is no way: tests that start their program again
 * would hand the shard's variables on, and the child would leave its only test to another shard.
 */
const programsAtOnce = 2;

/** A test that ends the process with a signal on purpose needs UCX to leave signals alone; so do the sanitizers. */
const testEnv: NodeJS.ProcessEnv = {
  ...process.env,
  UCX_ERROR_SIGNALS: '',
  UCX_WARN_UNUSED_ENV_VARS: 'n',
  ASAN_OPTIONS: process.env['ASAN_OPTIONS'] ?? 'detect_stack_use_after_return=1',
  TSAN_OPTIONS:
    process.env['TSAN_OPTIONS'] ?? `suppressions=${join(root, 'scripts', 'test', 'tsan.supp')}`,
  UBSAN_OPTIONS: process.env['UBSAN_OPTIONS'] ?? 'halt_on_error=1:print_stacktrace=1',
};

/** Else UCX takes a lock in each new thread before TSan knows the thread, which ends the process. */
const threadSanitizerEnv: NodeJS.ProcessEnv = { ...testEnv, UCX_MEM_EVENTS: 'no' };

/** A build takes every core: the next one begins when it has ended. */
let lastBuild: Promise<unknown> = Promise.resolve();

/** More programs than these have a cause that no second run removes. */
const runAgainMax = 2;

/**
 * The programs of a build. One or two that fail beside others are not counted then: they run again when everything else has ended, as a busy
 * machine is no fault of theirs.
 */
export function nativeSuite(build: NativeBuild, libraries?: OtherLibraries): SuiteParts {
  const folder = join(root, build.folder);
  const env = {
    ...(build.sanitize === 'thread' ? threadSanitizerEnv : testEnv),
    ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries.folder }),
  };
  let again: readonly string[] = [];
  return {
    async beside(print) {
      if (!hasGtest()) {
        print('skipped: libgtest-dev is not installed (npm run setup names the command)\n');
        return { ...noCounts(), skipped: 1 };
      }
      const isBuilt = lastBuild.then(() => buildTests(folder, build, print));
      lastBuild = isBuilt;
      if (!(await isBuilt)) return { ...noCounts(), failed: 1 };
      const programs = await runTests(folder, env, print, libraries?.programs);
      const failed = [...programs].filter(([, counts]) => counts.failed > 0).map(([name]) => name);
      if (failed.length <= runAgainMax) again = failed;
      for (const name of again) programs.delete(name);
      const sum = sumOf(programs.values());
      return sum.passed === 0 && again.length === 0 ? { ...sum, failed: sum.failed + 1 } : sum;
    },
    async alone(print) {
      if (again.length === 0) return noCounts();
      print(`run again, alone, as they failed beside others: ${again.join(' ')}\n`);
      const programs = await runTests(folder, env, print, again);
      return { ...sumOf(programs.values()), filesRunAgain: again.length };
    },
  };
}

function hasGtest(): boolean {
  return ['/usr/include', '/usr/local/include'].some((each) =>
    existsSync(join(each, 'gtest', 'gtest.h')),
  );
}

async function buildTests(folder: string, build: NativeBuild, print: Print): Promise<boolean> {
  const startedAt = Date.now();
  print(`building ${build.folder} …\n`);
  const definitions = [
    '-DSEAWEED_TESTS=ON',
    '-DSEAWEED_ADDON=OFF',
    `-DSEAWEED_SANITIZE=${build.sanitize}`,
    // Full optimisation doubles the compile time of instrumented code and hides nothing less.
    ...(build.sanitize === '' ? [] : ['-DCMAKE_CXX_FLAGS_RELEASE=-O1']),
  ];
  const env = { ...process.env, CXX: process.env['CXX'] ?? compiler() };
  const steps: readonly (readonly [string, ...string[]])[] = [
    ['cmake', '-S', root, '-B', folder, '-G', 'Ninja', ...definitions],
    // The tests that run meanwhile come first, but leave enough that the native tests begin while others still wait.
    ['nice', '-n', '5', 'cmake', '--build', folder, '-j', String(availableParallelism())],
  ];
  for (const [command, ...args] of steps) {
    const { status, output } = await runQuietly({ command, args, env });
    if (status === 0) continue;
    print(`${lastLines(output, 60)}\n`);
    return false;
  }
  print(`built ${build.folder} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return true;
}

/** Counts by program; all that were built, or those that are named. */
async function runTests(
  folder: string,
  env: NodeJS.ProcessEnv,
  print: Print,
  names: readonly string[] = readdirSync(folder).filter((each) => each.endsWith('_test')),
): Promise<Map<string, Counts>> {
  const left = [...names].sort();
  const programs = new Map<string, Counts>();
  const runLane = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      programs.set(name, await runGtest(folder, name, env, print));
    }
  };
  await Promise.all(Array.from({ length: programsAtOnce }, runLane));
  return programs;
}

let reportCount = 0;

async function runGtest(
  folder: string,
  name: string,
  env: NodeJS.ProcessEnv,
  print: Print,
): Promise<Counts> {
  const report = join(tmpdir(), `seaweed-rdma-${name}-${process.pid}-${reportCount}.json`);
  reportCount += 1;
  const { status, how, output } = await runQuietly({
    command: join(folder, name),
    args: ['--gtest_brief=1', `--gtest_output=json:${report}`],
    env,
    cwd: folder,
    timeoutMs: programTimeoutMs,
  });
  const counts = countReport(report);
  rmSync(report, { force: true });
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.failed > 0) print(`${lastLines(output, 120)}\n  ${name} ended with ${how}\n`);
  print(`  ${name}: ${describeCounts(counts)}\n`);
  return counts;
}

function countReport(report: string): Counts {
  const counts = noCounts();
  if (!existsSync(report)) return counts;
  const { testsuites } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const suite of testsuites) {
    for (const test of suite.testsuite) {
      if (test.failures !== undefined) counts.failed += 1;
      else if (test.result === 'COMPLETED') counts.passed += 1;
      else counts.skipped += 1;
    }
  }
  return counts;
}

function lastLines(output: string, count: number): string {
  return output.trimEnd().split('\n').slice(-count).join('\n');
}
