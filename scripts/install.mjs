// The installed package's native part: built where it is installed, because UCX must be the machine's own. Runs as npm's
// install script, or later by `seaweed-rdma setup` where install scripts are not allowed. A machine without the tools
// keeps what needs no native part; one line says what is missing. Plain JavaScript for Node 18 or later.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isRequired = process.argv.includes('--required');
const packages =
  'Debian and Ubuntu: apt-get install cmake make g++ pkg-config libucx-dev libsodium-dev libssl-dev libuv1-dev nlohmann-json3-dev';

// A checkout is set up by `npm run setup`.
const isCheckout = existsSync(join(root, 'src'));
if (isCheckout && !isRequired) process.exit(0);

const failure = build();
if (failure === undefined) {
  console.log('seaweed-rdma: the native part is built');
} else {
  console.error(
    `seaweed-rdma: the native part is not built: ${failure}\n  ${packages}\n  then: npx seaweed-rdma setup`,
  );
  if (isRequired) process.exitCode = 69;
}

/** Returns why it cannot be built, in one line. */
function build() {
  const folder = join(root, 'build');
  const output = join(folder, 'Release');
  // A cache of another place or compiler makes cmake fail.
  rmSync(join(folder, 'CMakeCache.txt'), { force: true });
  const configured = run('cmake', [
    '-S',
    root,
    '-B',
    folder,
    '-DCMAKE_BUILD_TYPE=Release',
    `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${output}`,
    `-DNODE_EXECUTABLE=${process.execPath}`,
  ]);
  if (configured !== undefined) return configured;
  const jobs = String(Math.min(4, availableParallelism()));
  return run('cmake', ['--build', folder, '--target', 'seaweed_rdma', '--parallel', jobs]);
}

/**
 * Returns why it failed, in one line.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  /** @type {NodeJS.ErrnoException | undefined} */
  const error = result.error;
  if (error?.code === 'ENOENT') return `${command} is not installed`;
  if (error !== undefined) return error.message;
  if (result.status === 0) return undefined;
  const lines = `${result.stdout}\n${result.stderr}`.split('\n');
  const at = lines.findIndex((line) => /error/i.test(line));
  const told = lines.slice(Math.max(0, at), at + 4).map((line) => line.trim());
  return told.filter((line) => line !== '').join(' ');
}
