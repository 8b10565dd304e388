/** Runs tests in the virtual machine that has a RoCE device in software (test/verbs). */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup/pinned-node.mjs';
import { verbsMachine } from '../setup/verbs-machine.ts';
import { runQuietly } from './children.ts';
import { type Counts, noCounts, sumOf } from './counts.ts';
import type { Print } from './suite.ts';
import { reportCounts } from './vitest-suite.ts';

const machineMsMax = 1_500_000;

/** Cables have RoCE devices of their own, beside which UCX takes ten times as long for a session: a machine of theirs. */
export async function runVerbsWhole(print: Print): Promise<Counts> {
  const cables = 'test/verbs/cables';
  const others = ['test/verbs', 'test/contract', '--exclude', `${cables}/**`];
  return sumOf([await runVerbsSuite(others, print), await runVerbsSuite([cables], print)]);
}

/** @param files to run, from the root; vitest's filters */
export async function runVerbsSuite(files: readonly string[], print: Print): Promise<Counts> {
  const machine = verbsMachine();
  if (machine === undefined) {
    print('skipped: there is no virtual machine for verbs (npm run setup says why)\n');
    return { ...noCounts(), skipped: 1 };
  }
  const out = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-out-'));
  try {
    writeFileSync(join(out, 'files'), files.join(' '));
    const { how } = await runQuietly({
      command: 'qemu-system-x86_64',
      args: [
        ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '6144'],
        ...['-display', 'none', '-no-reboot', '-serial', `file:${join(out, 'console')}`],
        ...['-kernel', machine.kernel, '-initrd', machine.initramfs],
        ...[
          '-append',
          `console=ttyS0 panic=-1 quiet mitigations=off guest=${join(root, 'test', 'verbs', 'guest.sh')}`,
        ],
        ...[
          '-virtfs',
          'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap',
        ],
        ...['-virtfs', `local,path=${out},mount_tag=out,security_model=none`],
      ],
      timeoutMs: machineMsMax,
    });
    if (!existsSync(join(out, 'log'))) {
      print(
        `${textOf(join(out, 'console'))}\nskipped: the virtual machine did not come up (${how})\n`,
      );
      return { ...noCounts(), skipped: 1 };
    }
    const counts = reportCounts(join(out, 'report.json'));
    const isWhole = textOf(join(out, 'status')).trim() === '0';
    if (!isWhole || counts.passed === 0) counts.failed = Math.max(1, counts.failed);
    print(textOf(join(out, 'log')));
    if (!isWhole) print(`${textOf(join(out, 'console'))}\nthe virtual machine ended with ${how}\n`);
    return counts;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
