/** Fetches tools of the tests by Python's pip, which needs no root, into a folder of the checkout. */
import { spawnSync } from 'node:child_process';
import { runStep, tail } from './steps.mjs';

export function hasPip(): boolean {
  return spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
}

/** False: the user has been told why. A machine without a network is told at once. */
export async function pipInstall(
  title: string,
  folder: string,
  requirements: readonly string[],
): Promise<boolean> {
  const limits = ['--retries', '0', '--timeout', '15'];
  const wanted = ['--no-deps', '--upgrade', '--target', folder];
  const { ok, output } = await runStep(`${title} (pip install)`, 'python3', [
    ...['-m', 'pip', 'install', '--quiet', ...limits, ...wanted],
    ...requirements,
  ]);
  if (!ok) console.error(tail(output));
  return ok;
}
