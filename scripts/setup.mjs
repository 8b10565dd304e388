// Brings a fresh checkout to where everything runs: system packages, node modules, native part, compiled TypeScript.
// Idempotent; each step is skipped while nothing it depends on has changed. Plain JavaScript for the system's Node
// (18 or later), with nothing installed.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureGitHook, withoutOwnHook } from './setup/git-hook.mjs';
import {
  binFolder,
  installedVersion,
  pinnedEnv,
  pinnedVersion,
  root,
} from './setup/pinned-node.mjs';
import { hashOf, isStamped, writeStamp } from './setup/stamp.mjs';
import { runRequiredStep, StepFailed } from './setup/steps.mjs';
import {
  compiler,
  ensureSystemPackages,
  ensureTestPackages,
  toolVersions,
} from './setup/system-packages.mjs';
import { ensureTestTools } from './setup/test-tools.mjs';

const isQuiet = process.argv.includes('--quiet');
const say = (line) => isQuiet || console.log(line);

try {
  await ensureSystemPackages();
  if (process.argv.includes('--tests')) {
    await ensureTestPackages(join(root, 'build', '.test-packages-stamp'));
  }
  await ensureNodeModules();
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

async function ensureNodeModules() {
  const stamp = join(root, 'node_modules', '.seaweed-rdma-stamp');
  const hash = hashOf(root, ['package-lock.json'], '');
  if (isStamped(stamp, hash) && installedVersion() === pinnedVersion()) {
    return say('node modules: up to date');
  }
  await runRequiredStep('node modules (npm ci)', 'npm', ['ci', '--include=dev'], {
    cwd: root,
    env: withoutOwnHook,
  });
  if (installedVersion() !== pinnedVersion()) {
    // An npm that does not run install scripts leaves the package `node` without its binary.
    const cwd = join(root, 'node_modules', 'node');
    await runRequiredStep(
      `Node ${pinnedVersion()}`,
      process.execPath,
      ['installArchSpecificPackage.js'],
      { cwd },
    );
  }
  if (installedVersion() !== pinnedVersion()) {
    throw new StepFailed(`node_modules/.bin/node is not Node ${pinnedVersion()}`);
  }
  writeStamp(stamp, hash);
}

async function ensureNativePart() {
  const stamp = join(root, 'build', '.stamp');
  const hash = hashOf(root, ['CMakeLists.txt', 'native', 'package-lock.json'], toolVersions());
  const addon = join(root, 'build', 'Release', 'seaweed_rdma.node');
  if (isStamped(stamp, hash) && existsSync(addon)) return say('native part: up to date');
  mkdirSync(join(root, 'build'), { recursive: true });
  const env = { ...pinnedEnv(), CXX: process.env.CXX ?? compiler() };
  const { output } = await runRequiredStep(
    'native part (cmake-js build)',
    join(binFolder, 'cmake-js'),
    ['build'],
    {
      cwd: root,
      env,
    },
  );
  if (output.includes('building without UCX')) {
    console.log('native part: built without UCX; transport = "inproc" and HTTP passthrough remain');
  }
  writeStamp(stamp, hash);
}

async function ensureCompiledTypeScript() {
  const stamp = join(root, 'dist', '.stamp');
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  const hash = hashOf(root, sources, '');
  if (isStamped(stamp, hash)) return say('compiled TypeScript: up to date');
  await runRequiredStep(
    'compiled TypeScript (tsc)',
    join(binFolder, 'tsc'),
    ['-p', 'tsconfig.build.json'],
    {
      cwd: root,
      env: pinnedEnv(),
    },
  );
  writeStamp(stamp, hash);
}
