/** `seaweed-rdma setup`: builds the native part where npm was not allowed to run the install script. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Returns the exit code. */
export function runSetup(): number {
  // Two levels below the package root, both as source (src/cli) and compiled (dist/cli).
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'install.mjs');
  const { status } = spawnSync(process.execPath, [script, '--required'], { stdio: 'inherit' });
  return status ?? 1;
}
