/**
 * Looks for faults in the native sources as .clang-tidy says: node scripts/tidy-native.ts [--all] [--build FOLDER]
 * Sources without a finding are skipped until they, a header in native/, their compile command, .clang-tidy or clang-tidy change;
 * --all skips none. FOLDER keeps the compile commands and a stamp for each of these sources. Tests are left out: most findings
 * there come from gtest's macros.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { clangTidy, clangTidyVersion } from './setup/clang-tools.ts';
import { hashOf, isStamped, writeStamp } from './setup/stamp.mjs';
import { compiler } from './setup/system-packages.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    build: { type: 'string', default: join(root, 'build-tidy') },
  },
});
const folder = values.build;
const command = clangTidy();
if (command === undefined)
  endWithout('there is no clang-tidy: npm run setup fetches it, or CLANG_TIDY names one');
const configured = spawnSync(
  'cmake',
  ['-S', root, '-B', folder, '-G', 'Ninja', '-DSEAWEED_TESTS=OFF'],
  {
    env: { ...process.env, CXX: process.env['CXX'] ?? compiler() },
    encoding: 'utf8',
  },
);
if (configured.status !== 0) endWithout(`cmake: ${configured.error?.message ?? configured.stderr}`);

interface Source {
  /** From the root. */
  readonly file: string;
  readonly stamp: string;
  readonly hash: string;
}

const sources = compiled().map(sourceOf);
const due = sources.filter(({ stamp, hash }) => values.all || !isStamped(stamp, hash));
console.log(`clang-tidy: ${due.length} of ${sources.length} sources`);
const waiting = [...due];
let faulty = 0;
await Promise.all(Array.from({ length: availableParallelism() }, lookAtNext));
process.exitCode = faulty === 0 ? 0 : 1;

/** The lint suite tells this from a fault. */
function endWithout(why: string): never {
  console.error(why);
  process.exit(69);
}

/** Each source with the command that compiles it. */
function compiled(): readonly (readonly [file: string, compile: string])[] {
  const text = readFileSync(join(folder, 'compile_commands.json'), 'utf8');
  const rows = JSON.parse(text) as readonly { readonly file: string; readonly command: string }[];
  return rows
    .map((row) => [relative(root, row.file), row.command] as const)
    .filter(([file]) => file.startsWith('native/'));
}

function sourceOf([file, compile]: readonly [file: string, compile: string]): Source {
  const made = ['.clang-tidy', ...withHeaders(file)];
  const stamp = join(folder, 'clean', file.replaceAll('/', '-'));
  return { file, stamp, hash: hashOf(root, made, `${command} ${clangTidyVersion} ${compile}`) };
}

/** The source and the headers of native/ that it includes, directly or not. */
function withHeaders(file: string): readonly string[] {
  const found = new Set([file]);
  for (const each of found) {
    const text = readFileSync(join(root, each), 'utf8');
    for (const [, name = ''] of text.matchAll(/^#include "([^"]+)"/gm)) {
      const header = join('native', name);
      if (existsSync(join(root, header))) found.add(header);
    }
  }
  return [...found].sort();
}

async function lookAtNext(): Promise<void> {
  for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
    const { stamp, hash } = source;
    const found = await findingsIn(source);
    if (found === undefined) {
      writeStamp(stamp, hash);
      continue;
    }
    faulty += 1;
    console.log(found);
  }
}

/** undefined: none. */
async function findingsIn({ file }: Source): Promise<string | undefined> {
  const args = ['-n', '10', command as string, '-p', folder, '--quiet', join(root, file)];
  const child = spawn('nice', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { out: '', error: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.error += text;
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  return status === 0
    ? undefined
    : `${texts.out || texts.error}`.replaceAll(`${root}/`, '').trimEnd();
}
