/** How the suites of `npm test` are chosen. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, runCommand } from '../integration/program.ts';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'test.mjs');

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
