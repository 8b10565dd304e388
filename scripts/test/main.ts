/**
 * Every test: types, lint and format, faults in the native sources, native tests (plain, then under ASan and UBSan), vitest,
 * real clients of SeaweedFS.
 * Suites run at the same time as far as they may, each whatever becomes of the others; the last line is the sum.
 * `npm test -- --help` says how to run some of them.
 */
import { parseArgs } from 'node:util';
import { endWithPrograms } from './children.ts';
import { addCounts, type Counts, describeCounts, noCounts, sumOf } from './counts.ts';
import { OrderedOutput, type Section } from './ordered-output.ts';
import type { Suite } from './suite.ts';
import { fast, suites } from './suites.ts';

interface Run {
  readonly suite: Suite;
  readonly section: Section;
  readonly counts: Counts;
  ms: number;
}

const usage = `npm test                       every suite, side by side where they may
npm test -- --fast             ${fast.join(', ')}: the loop of a person, under two minutes
npm test -- --only NAME[,NAME] some of them

${suites.map(({ name, tells }) => `  ${name.padEnd(18)}${tells}`).join('\n')}

One file or one test: CONTRIBUTING.md.`;

const chosen = chosenSuites();
endWithPrograms();
const startedAt = Date.now();
const output = new OrderedOutput((text) => process.stdout.write(text));
const runs = chosen.map(
  (suite): Run => ({ suite, section: output.section(suite.name), counts: noCounts(), ms: 0 }),
);
await Promise.all(runs.map(runBeside));
for (const run of runs) await runAlone(run);

const sum = sumOf(runs.map(({ counts }) => counts));
const rows = runs.map(({ suite, counts, ms }) => row(suite.name, describeCounts(counts), ms));
console.log(`\n${rows.join('\n')}\n${row('together', '', Date.now() - startedAt)}`);
console.log(describeCounts(sum));
process.exitCode = sum.failed === 0 && sum.passed + sum.skipped > 0 ? 0 : 1;

async function runBeside(run: Run): Promise<void> {
  if (run.suite.beside !== undefined) await count(run, run.suite.beside);
  if (run.suite.alone === undefined) run.section.end();
}

async function runAlone(run: Run): Promise<void> {
  if (run.suite.alone === undefined) return;
  await count(run, run.suite.alone);
  run.section.end();
}

async function count(run: Run, part: NonNullable<Suite['beside']>): Promise<void> {
  const beganAt = Date.now();
  addCounts(run.counts, await part(run.section.print));
  run.ms += Date.now() - beganAt;
}

function row(name: string, counts: string, ms: number): string {
  return `${name.padEnd(18)} ${counts}${counts === '' ? '' : ' '}in ${(ms / 1000).toFixed(1)} s`;
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
