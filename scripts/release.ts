/** Makes a release of the checkout in the current folder: `npm run release -- --help`. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { notesOf, withRelease } from './release/changelog.ts';
import { ReleaseProblem } from './release/problem.ts';
import { checkNextVersion, versionPlaces, withVersion } from './release/version.ts';

const usage = `npm run release -- VERSION [--dry-run]
npm run release -- VERSION --notes

Makes the release VERSION (1.2.3 or 1.2.3-rc.1) of a clean tree on the branch main: moves what CHANGELOG.md has under
"Unreleased" to the version with today's date, sets the version wherever it is named, runs npm test -- --fast, builds,
packs, commits and tags. If a step fails, the files are put back. It pushes nothing.

  --dry-run  names what stands against the release and shows what it would change and run
  --notes    prints what CHANGELOG.md says about VERSION
  --help     this text`;

interface Release {
  readonly version: string;
  readonly tag: string;
  /** New contents by file; package.json and its lock file are npm's to write. */
  readonly contents: ReadonlyMap<string, string>;
}

/** In this order, after the files are written. */
const steps = ['npm test -- --fast', 'npm run build', 'npm pack'] as const;
const ofNpm = ['package.json', 'package-lock.json'];

process.exitCode = main();

function main(): number {
  const options = parsed();
  if (options === undefined) return 2;
  try {
    return run(options.version, options);
  } catch (error) {
    if (!(error instanceof ReleaseProblem)) throw error;
    console.error(`release: ${error.message}`);
    return 1;
  }
}

function parsed(): { version: string; isDry: boolean; isNotes: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      options: {
        'dry-run': { type: 'boolean', default: false },
        notes: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const [version, ...more] = positionals;
    if (version === undefined || more.length > 0) throw new Error('give one version');
    return { version, isDry: values['dry-run'], isNotes: values.notes };
  } catch (error) {
    console.error(`release: ${(error as Error).message}\n\n${usage}`);
    return undefined;
  }
}

function run(version: string, options: { isDry: boolean; isNotes: boolean }): number {
  if (options.isNotes) {
    console.log(notesOf(readFileSync('CHANGELOG.md', 'utf8'), version));
    return 0;
  }
  const problems = problemsOfTree(`v${version}`);
  if (!options.isDry) {
    const [problem] = problems;
    if (problem !== undefined) throw new ReleaseProblem(problem);
    make(plan(version));
    return 0;
  }
  for (const problem of problems) console.log(`would stop: ${problem}`);
  show(plan(version));
  return problems.length === 0 ? 0 : 1;
}

function problemsOfTree(tag: string): readonly string[] {
  const branch = output('git', ['branch', '--show-current']);
  const changed = output('git', ['status', '--porcelain']);
  return [
    ...(branch === 'main' ? [] : [`the branch is ${branch || 'none'}, not main`]),
    ...(changed === '' ? [] : [`the tree is not clean:\n${changed}`]),
    ...(output('git', ['tag', '--list', tag]) === '' ? [] : [`the tag ${tag} is there already`]),
  ];
}

function plan(version: string): Release {
  const { version: current } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly version: string;
  };
  checkNextVersion(current, version);
  const contents = new Map<string, string>();
  const date = new Date().toISOString().slice(0, 10);
  contents.set('CHANGELOG.md', withRelease(readFileSync('CHANGELOG.md', 'utf8'), version, date));
  for (const place of versionPlaces) {
    const text = contents.get(place.file) ?? readFileSync(place.file, 'utf8');
    contents.set(place.file, withVersion(text, place, { from: current, to: version }));
  }
  return { version, tag: `v${version}`, contents };
}

function show({ version, tag, contents }: Release): void {
  for (const file of [...ofNpm, ...contents.keys()]) console.log(`would write ${file}`);
  for (const step of steps) console.log(`would run ${step}`);
  console.log(`would commit "release: ${version}" and tag it ${tag}, with:\n`);
  console.log(notesOf(contents.get('CHANGELOG.md') as string, version));
}

function make({ version, tag, contents }: Release): void {
  const files = [...ofNpm, ...contents.keys()];
  try {
    required('npm', ['version', version, '--no-git-tag-version', '--ignore-scripts']);
    for (const [file, text] of contents) writeFileSync(file, text);
    for (const step of steps) {
      // A compiled file whose source is gone would be packed.
      if (step === 'npm run build') rmSync('dist', { recursive: true, force: true });
      const [command, ...args] = step.split(' ');
      required(command as string, args);
    }
    required('git', ['add', ...files]);
    required('git', ['commit', '--quiet', '--message', `release: ${version}`]);
  } catch (error) {
    spawnSync('git', ['checkout', '--quiet', 'HEAD', '--', ...files]);
    throw error;
  }
  required('git', ['tag', '--annotate', tag, '--message', `seaweed-rdma ${version}`]);
  console.log(`${tag} is made. Publish it: git push origin main ${tag}`);
}

function required(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status === 0) return;
  const why = error?.message ?? `ended with ${status}`;
  throw new ReleaseProblem(`${[command, ...args].join(' ')}: ${why}`);
}

function output(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout.trimEnd();
  throw new ReleaseProblem(`${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim()}`);
}
