/**
 * Makes the virtual machine in which tests run over verbs: no device is needed, and none of the host's is touched. Its kernel is Debian's, its root the host's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './pinned-node.mjs';
import { hashOf, isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';
import { missingForVerbs } from './system-packages.mjs';

const folder = join(root, 'build', 'verbs');

export interface VerbsMachine {
  readonly kernel: string;
  readonly initramfs: string;
}

/** Undefined: set-up could not make it. */
export function verbsMachine(): VerbsMachine | undefined {
  const kernel = join(folder, 'vmlinuz');
  const initramfs = join(folder, 'initramfs');
  const isThere = existsSync(kernel) && existsSync(initramfs) && missingForVerbs().length === 0;
  return isThere ? { kernel, initramfs } : undefined;
}

export async function ensureVerbsMachine(say: (line: string) => void): Promise<void> {
  const stamp = join(folder, '.stamp');
  const hash = hashOf(root, [join('test', 'verbs', 'machine')], '');
  if (isStamped(stamp, hash) && verbsMachine() !== undefined) {
    return say('virtual machine for verbs: up to date');
  }
  const missing = process.arch === 'x64' ? missingForVerbs() : ['an x86-64 processor'];
  if (missing.length > 0) {
    return say(`virtual machine for verbs: not made (missing: ${missing.join(', ')})`);
  }
  const script = join(root, 'test', 'verbs', 'machine', 'prepare.sh');
  const { ok, output } = await runStep('virtual machine for verbs', 'bash', [script, folder]);
  if (ok) return writeStamp(stamp, hash);
  console.error(tail(output));
  console.log('no tests run over verbs');
}
