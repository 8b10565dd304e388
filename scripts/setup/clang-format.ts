/**
 * The clang-format that the native sources are held to: pinned, because versions lay out the same file differently, and
 * fetched by Python's pip (test-tools.ts), which needs no root.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const clangFormatVersion = '23.1.5';
/** Where pip puts it. */
export const clangFormatFolder: string = join(
  import.meta.dirname,
  ...['..', '..', 'build', 'tools', 'python'],
);
const fetched = join(clangFormatFolder, 'clang_format', 'data', 'bin', 'clang-format');

/** `CLANG_FORMAT` names another program; undefined: there is none. */
export function clangFormat(): string | undefined {
  const asked = process.env['CLANG_FORMAT'] ?? '';
  return asked === '' ? fetchedClangFormat() : asked;
}

export function fetchedClangFormat(): string | undefined {
  return existsSync(fetched) ? fetched : undefined;
}
