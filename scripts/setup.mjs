// Brings a fresh checkout to where everything runs: system packages and node modules, then what needs these
// (setup/after-install.ts). Idempotent; each step is skipped while nothing it depends on has changed. This file and what
// it imports are plain JavaScript for the system's Node (18 or later), with nothing installed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installedVersion, pinnedNode, pinnedVersion, root } from './setup/pinned-node.mjs';
import { hashOf, isStamped, writeStamp } from './setup/stamp.mjs';
import { runRequiredStep, StepFailed } from './setup/steps.mjs';
import { ensureSystemPackages, ensureTestPackages } from './setup/system-packages.mjs';

const isQuiet = process.argv.includes('--quiet');
/** @param {string} line */
const say = (line) => isQuiet || console.log(line);

try {
  await ensureSystemPackages();
  if (process.argv.includes('--tests')) {
    await ensureTestPackages(join(root, 'build', '.test-packages-stamp'));
  }
  await ensureNodeModules();
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`setup: ${error.message}`);
  process.exit(1);
}
const rest = join(root, 'scripts', 'setup', 'after-install.ts');
const { status } = spawnSync(pinnedNode, [rest, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exitCode = status ?? 1;

async function ensureNodeModules() {
  const stamp = join(root, 'node_modules', '.seaweed-rdma-stamp');
  const hash = hashOf(root, ['package-lock.json'], '');
  if (isStamped(stamp, hash) && installedVersion() === pinnedVersion()) {
    return say('node modules: up to date');
  }
  await runRequiredStep('node modules (npm ci)', 'npm', ['ci', '--include=dev'], {
    cwd: root,
    // lefthook's own install script, which npm may run, does nothing in CI: setup/git-hook.ts decides who gets the hook.
    env: { ...process.env, CI: process.env['CI'] || '1' },
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
