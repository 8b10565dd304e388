/** Runs programs that have no tests of their own: each counts as one. */
import { join } from 'node:path';
import { binFolder } from '../setup/pinned-node.mjs';
import { runProgram } from './children.ts';
import { type Counts, noCounts } from './counts.ts';
import type { Print } from './suite.ts';

export type Check = readonly [name: string, ...args: string[]];

/** A check that ends with 69 has not got what it needs. */
export async function runChecks(checks: readonly Check[], print: Print): Promise<Counts> {
  const counts = noCounts();
  for (const [name, ...args] of checks) {
    const { status } = await runProgram({ command: join(binFolder, name), args, print });
    if (status === 0) counts.passed += 1;
    else if (status === 69) counts.skipped += 1;
    else counts.failed += 1;
  }
  return counts;
}
