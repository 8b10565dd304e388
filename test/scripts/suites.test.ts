/** How the suites of `npm test` are chosen, run side by side and printed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OrderedOutput } from '../../scripts/test/ordered-output.ts';
import { aloneFiles } from '../alone.ts';
import { type Ended, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const root = join(import.meta.dirname, '..', '..');
const script = join(root, 'scripts', 'test.mjs');

function suites(args: readonly string[]): Promise<Ended> {
  return runCommand(process.execPath, [script, ...args]);
}

describe('npm test', () => {
  test('--help names every suite and runs none', async () => {
    const { status, stdout } = await suites(['--help']);
    expect(status).toBe(0);
    for (const name of [
      'types',
      'lint',
      'tidy',
      'native',
      'native-sanitized',
      'vitest',
      'clients',
      'native-tsan',
      'unit',
    ])
      expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(stdout).not.toContain('passed');
  });

  test.each([
    [['--only', 'typos'], '--only typos: the suites are types, lint,'],
    [['--only'], "'--only <value>' argument missing"],
    [['--fats'], "Unknown option '--fats'"],
    [['lint'], "Unexpected argument 'lint'"],
    [['--fast', '--only', 'lint'], '--fast and --only: give one of them'],
  ])('%j runs nothing and says why', async (args, problem) => {
    const { status, stdout, stderr } = await suites(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(problem);
  });
});

describe('the output of suites that run at the same time', () => {
  test('is whole and in their order, and the first of them prints as it goes', () => {
    let printed = '';
    const output = new OrderedOutput((text) => {
      printed += text;
    });
    const [first, second, third] = ['a', 'b', 'c'].map((title) => output.section(title));
    second?.print('b1\n');
    first?.print('a1\n');
    expect(printed).toBe('\n== a\na1\n');
    third?.end();
    second?.print('b2\n');
    first?.print('a2\n');
    first?.end();
    expect(printed).toBe('\n== a\na1\na2\n\n== b\nb1\nb2\n');
    second?.print('b3\n');
    second?.end();
    expect(printed).toBe('\n== a\na1\na2\n\n== b\nb1\nb2\nb3\n\n== c\n');
  });
});

/** Runs a program as a suite does, and what the program starts. */
const running = `
import { endWithPrograms, runProgram } from ${JSON.stringify(join(root, 'scripts', 'test', 'children.ts'))};
endWithPrograms();
const [timeoutMs, command, ...args] = process.argv.slice(1);
const { how } = await runProgram({ command, args, timeoutMs: Number(timeoutMs), print: (text) => process.stdout.write(text) });
console.log(how);
`;

function runner(words: string, timeoutMs: number): readonly string[] {
  return ['--input-type=module', '--eval', running, '--', `${timeoutMs}`, 'sh', '-c', words];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a program of a suite', () => {
  test.each([
    ['exit 3', 'status 3'],
    ['kill -SEGV $$', 'signal SIGSEGV'],
    // The time limit ends the grandchild, too: it would keep the output open.
    ['sleep 60 & wait', 'signal SIGKILL'],
  ])('"%s" ended with %s', async (words, how) => {
    const { stdout } = await runCommand(process.execPath, runner(words, 2_000));
    expect(stdout).toBe(`${how}\n`);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('ends with what it started on %s', async (signal) => {
    const words = "sh -c 'echo $$; exec sleep 60'; true";
    const child = spawn(process.execPath, runner(words, 60_000), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const sleeper = Number(line.toString());
    expect(isAlive(sleeper)).toBe(true);
    child.kill(signal);
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(isAlive(sleeper)).toBe(false);
  });
});

describe('a file that fails beside others', () => {
  const scratch = scratchFolder();
  const passes = "import { expect, test } from 'vitest';\ntest('passes', () => {});\n";
  /** Fails as often as it is told. */
  const failing = (times: number): string => `${passes}
import { appendFileSync, readFileSync } from 'node:fs';
const file = ${JSON.stringify(join(scratch.folder, 'runs'))};
appendFileSync(file, '.');
test('fails at first', () => expect(readFileSync(file, 'latin1').length).toBeGreaterThan(${times}));
`;

  scratch.write(
    'vitest.config.js',
    `const project = (name) => ({ test: { name, include: [name + '*.test.ts'] } });
export default { test: { projects: ['unit', 'beside', 'alone'].map(project) } };`,
  );
  scratch.write('unit.test.ts', passes);
  scratch.write('beside-one.test.ts', passes);
  scratch.write('alone.test.ts', passes);
  const bothParts = `
import { vitestSuite } from ${JSON.stringify(join(root, 'scripts', 'test', 'vitest-suite.ts'))};
const { beside, alone } = vitestSuite(${JSON.stringify(scratch.folder)});
const print = (text) => process.stderr.write(text);
console.log(JSON.stringify([await beside(print), await alone(print)]));
`;

  test.each([
    ['counts as it ended alone, and the sum says so', 1, { passed: 3, failed: 0 }],
    ['fails the run when it fails again', 2, { passed: 2, failed: 1 }],
  ])('%s', async (_, times, expected) => {
    rmSync(join(scratch.folder, 'runs'), { force: true });
    scratch.write('beside-two.test.ts', failing(times));
    const args = ['--input-type=module', '--eval', bothParts];
    const { stdout, stderr } = await runCommand(process.execPath, args);
    expect(JSON.parse(stdout)).toMatchObject([
      { passed: 2, failed: 0, filesRunAgain: 0 },
      { ...expected, filesRunAgain: 1 },
    ]);
    expect(stderr).toContain(
      'run again, alone, as they failed beside others:\nbeside-two.test.ts\n',
    );
  });
});

test('the files that vitest runs alone exist', () => {
  expect(Object.keys(aloneFiles).filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
