// The clang-format that the native sources are held to: pinned, because versions lay out the same file differently, and
// fetched by Python's pip, which needs no root. Without it the native format is not checked, and the lint suite says so.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './pinned-node.mjs';
import { isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';

const clangFormatVersion = '23.1.5';
const folder = join(root, 'build', 'tools', 'python');
const fetched = join(folder, 'clang_format', 'data', 'bin', 'clang-format');

/** `CLANG_FORMAT` names another program; undefined: there is none. */
export function clangFormat() {
  const asked = process.env.CLANG_FORMAT ?? '';
  if (asked !== '') return asked;
  return existsSync(fetched) ? fetched : undefined;
}

export async function ensureClangFormat(say) {
  const stamp = join(folder, '.stamp');
  if (isStamped(stamp, clangFormatVersion) && existsSync(fetched)) {
    return say('clang-format: up to date');
  }
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) {
    return say("clang-format: not fetched (no pip): the native sources' format is not checked");
  }
  // A machine without a network is told at once.
  const limits = ['--retries', '0', '--timeout', '15'];
  const wanted = ['--no-deps', '--upgrade', '--target', folder];
  const { ok, output } = await runStep('clang-format (pip install)', 'python3', [
    ...['-m', 'pip', 'install', '--quiet', ...limits, ...wanted],
    `clang-format==${clangFormatVersion}`,
  ]);
  if (ok) return writeStamp(stamp, clangFormatVersion);
  console.error(tail(output));
  console.log("the native sources' format is not checked");
}
