/**
 * Builds the native tests in their own build directory and runs every gtest program there, counting from gtest's own
 * JSON report. A program that dies or hangs counts as one more failed test.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup/pinned-node.mjs';
import { compiler } from '../setup/system-packages.mjs';
import { addCounts, type Counts } from './counts.ts';

export interface NativeBuild {
  /** From the root. */
  readonly folder: string;
  /** '' or what -fsanitize= takes. */
  readonly sanitize: string;
}

/** The part of gtest's report that is counted. */
interface Report {
  readonly testsuites: readonly {
    readonly testsuite: readonly { readonly failures?: unknown; readonly result: string }[];
  }[];
}

const programTimeoutMs = 600_000;

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

export function runNativeSuite(build: NativeBuild): Counts {
  if (
    !existsSync('/usr/include/gtest/gtest.h') &&
    !existsSync('/usr/local/include/gtest/gtest.h')
  ) {
    console.log('skipped: libgtest-dev is not installed (npm run setup names the command)');
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const folder = join(root, build.folder);
  console.log(`building ${build.folder} …`);
  if (!buildTests(folder, build.sanitize)) return { passed: 0, failed: 1, skipped: 0 };
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of readdirSync(folder)
    .filter((each) => each.endsWith('_test'))
    .sort()) {
    const one = runProgram(
      folder,
      name,
      build.sanitize === 'thread' ? threadSanitizerEnv : testEnv,
    );
    console.log(`  ${name}: ${one.passed} passed, ${one.failed} failed, ${one.skipped} skipped`);
    addCounts(counts, one);
  }
  if (counts.passed === 0) counts.failed += 1;
  return counts;
}

function buildTests(folder: string, sanitize: string): boolean {
  const definitions = [
    '-DSEAWEED_TESTS=ON',
    '-DSEAWEED_ADDON=OFF',
    `-DSEAWEED_SANITIZE=${sanitize}`,
    // Full optimisation doubles the compile time of instrumented code and hides nothing less.
    ...(sanitize === '' ? [] : ['-DCMAKE_CXX_FLAGS_RELEASE=-O1']),
  ];
  const env = { ...process.env, CXX: process.env['CXX'] ?? compiler() };
  const generator = ['-G', 'Ninja'];
  const steps: readonly (readonly [string, ...string[]])[] = [
    ['cmake', '-S', root, '-B', folder, ...generator, ...definitions],
    ['nice', 'cmake', '--build', folder, '-j', String(availableParallelism())],
  ];
  for (const [command, ...args] of steps) {
    const result = spawnSync(command, args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
    if (result.status === 0) continue;
    console.log(`${result.stdout}${result.stderr}`.trimEnd().split('\n').slice(-60).join('\n'));
    return false;
  }
  return true;
}

function runProgram(folder: string, name: string, env: NodeJS.ProcessEnv): Counts {
  const report = join(folder, `${name}.json`);
  rmSync(report, { force: true });
  const result = spawnSync(
    'nice',
    [join(folder, name), '--gtest_brief=1', `--gtest_output=json:${report}`],
    { env, encoding: 'utf8', timeout: programTimeoutMs, maxBuffer: 1 << 28, cwd: folder },
  );
  const counts = countReport(report);
  if (result.status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.failed > 0) {
    console.log(`${result.stdout}${result.stderr}`.trimEnd().split('\n').slice(-120).join('\n'));
    console.log(`  ${name} ended with ${result.signal ?? result.status}`);
  }
  return counts;
}

function countReport(report: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
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
