/** The workflows: actionlint's opinion, and that the scripts, suites and files they name are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { actionlint, root } from '../deploy/made-tools.ts';
import { runCommand } from '../integration/program.ts';

interface Job {
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> };
  readonly container?: { readonly image: string };
  readonly steps: readonly {
    readonly run?: string;
    readonly with?: Readonly<Record<string, string>>;
  }[];
}

const folder = join(root, '.github', 'workflows');
const jobs = readdirSync(folder).flatMap((file) => {
  const workflow = parse(readFileSync(join(folder, file), 'utf8')) as {
    readonly jobs: Readonly<Record<string, Job>>;
  };
  return Object.entries(workflow.jobs).map(([name, job]) => ({ name: `${file}: ${name}`, job }));
});
const { scripts, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
};

let suites: readonly string[];

beforeAll(async () => {
  const args = [join(root, 'scripts', 'test.mjs'), '--help'];
  const { stdout } = await runCommand(process.execPath, args);
  suites = [...stdout.matchAll(/^ {2}([\w-]+) /gm)].map(([, name = '']) => name);
});

/** Each command as it runs: once for each value of the matrix. */
function commandsOf({ steps, strategy }: Job): readonly string[] {
  const values = Object.entries(strategy?.matrix ?? {});
  return steps
    .flatMap(({ run }) => (run === undefined ? [] : [run]))
    .flatMap((command) => {
      const used = values.find(([key]) => command.includes(`\${{ matrix.${key} }}`));
      if (used === undefined) return [command];
      return used[1].map((value) => command.replaceAll(`\${{ matrix.${used[0]} }}`, value));
    });
}

function nodesOf({ steps, strategy, container }: Job): readonly string[] {
  const image = /^node:(\d+)-/.exec(container?.image ?? '')?.[1];
  const setUp = steps.flatMap((step) => step.with?.['node-version'] ?? []);
  return [...setUp, ...(strategy?.matrix['node'] ?? []), ...(image === undefined ? [] : [image])];
}

describe('the workflows', () => {
  test.skipIf(actionlint === undefined)('are what actionlint takes', async () => {
    // Its other linters are not everywhere.
    const args = [
      '-no-color',
      '-shellcheck=',
      '-pyflakes=',
      ...readdirSync(folder).map((file) => join(folder, file)),
    ];
    expect(await runCommand(actionlint as string, args)).toMatchObject({ status: 0, stdout: '' });
  });

  test.each(jobs)('$name runs scripts, suites and files that are there', ({ job }) => {
    const commands = commandsOf(job).join('\n');
    const named = [...commands.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(
      ([, name]) => name,
    );
    const asked = [...commands.matchAll(/npm test -- --only (\S+)/g)].flatMap(([, names = '']) =>
      names.split(','),
    );
    const paths = [
      ...commands.matchAll(/(?<=^|\s)(?:scripts|test|bin|node_modules)\/[\w./-]+/gm),
    ].map(([path]) => path);
    expect(named.filter((name) => !((name as string) in scripts))).toEqual([]);
    expect(asked.filter((name) => !suites.includes(name))).toEqual([]);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(named).toContain('setup');
    expect(commands).toContain('npm test');
  });

  test.each(jobs)('$name runs a Node that the package is for', ({ job }) => {
    const oldest = Number(/^>=(\d+)$/.exec(engines.node)?.[1]);
    const nodes = nodesOf(job);
    expect(nodes.length).toBeGreaterThan(0);
    expect(nodes.filter((node) => node !== 'current' && !(Number(node) >= oldest))).toEqual([]);
  });

  test('run both kinds of sanitizers and two architectures', () => {
    const commands = jobs.flatMap(({ job }) => commandsOf(job));
    for (const suite of ['native', 'native-sanitized', 'native-tsan', 'unit']) {
      expect(suites).toContain(suite);
      expect(
        commands.some((command) => new RegExp(`--only \\S*\\b${suite}\\b(?!-)`).test(command)),
      ).toBe(true);
    }
    const runners = jobs.flatMap(({ job }) => job.strategy?.matrix['runner'] ?? []);
    expect(runners.some((runner) => runner.endsWith('-arm'))).toBe(true);
  });
});
