/**
 * The part of set-up that needs node modules, under the pinned Node: native part, compiled TypeScript, test tools, git hook.
 * Each step is skipped while nothing it depends on has changed. Options are those of scripts/setup.mjs, which starts it.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureGitHook } from './git-hook.ts';
import { binFolder, pinnedEnv, root } from './pinned-node.mjs';
import { hashOf, isStamped, writeStamp } from './stamp.mjs';
import { runRequiredStep, StepFailed } from './steps.mjs';
import { compiler, toolVersions } from './system-packages.mjs';
import { ensureTestTools } from './test-tools.ts';

const isQuiet = process.argv.includes('--quiet');
const say = (line: string): void => {
  if (!isQuiet) console.log(line);
};

try {
  await ensureNativePart();
  await ensureCompiledTypeScript();
  if (process.argv.includes('--tests')) await ensureTestTools(say);
  if (!isQuiet) ensureGitHook(say);
  say('set-up is complete: npm run demo, npm test, bin/seaweed-rdma --help');
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`setup: ${error.message}`);
  process.exit(1);
}

async function ensureNativePart(): Promise<void> {
  const stamp = join(root, 'build', '.stamp');
  const hash = hashOf(root, ['CMakeLists.txt', 'native', 'package-lock.json'], toolVersions());
  const addon = join(root, 'build', 'Release', 'seaweed_rdma.node');
  if (isStamped(stamp, hash) && existsSync(addon)) return say('native part: up to date');
  mkdirSync(join(root, 'build'), { recursive: true });
  const env = { ...pinnedEnv(), CXX: process.env['CXX'] ?? compiler() };
  const { output } = await runRequiredStep(
    'native part (cmake-js build)',
    join(binFolder, 'cmake-js'),
    ['build'],
    { cwd: root, env },
  );
  if (output.includes('building without UCX')) {
    console.log('native part: built without UCX; transport = "inproc" and HTTP passthrough remain');
  }
  writeStamp(stamp, hash);
}

async function ensureCompiledTypeScript(): Promise<void> {
  const stamp = join(root, 'dist', '.stamp');
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  const hash = hashOf(root, sources, '');
  if (isStamped(stamp, hash)) return say('compiled TypeScript: up to date');
  await runRequiredStep(
    'compiled TypeScript (tsc)',
    join(binFolder, 'tsc'),
    ['-p', 'tsconfig.build.json'],
    { cwd: root, env: pinnedEnv() },
  );
  writeStamp(stamp, hash);
}
