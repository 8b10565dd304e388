/**
 * The clang-format and clang-tidy that the native sources are held to: pinned, because versions lay out the same file
 * differently and find different faults, and fetched by Python's pip (test-tools.ts), which needs no root.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const clangFormatVersion = '23.1.5';
export const clangTidyVersion = '23.1.4';
/** Where pip puts them. */
export const clangToolsFolder: string = join(
  import.meta.dirname,
  ...['..', '..', 'build', 'tools', 'python'],
);

/** `CLANG_FORMAT` names another program; undefined: there is none. */
export function clangFormat(): string | undefined {
  return asked('CLANG_FORMAT') ?? fetched('clang_format', 'clang-format');
}

/** `CLANG_TIDY` names another program; undefined: there is none. */
export function clangTidy(): string | undefined {
  return asked('CLANG_TIDY') ?? fetched('clang_tidy', 'clang-tidy');
}

export function areClangToolsFetched(): boolean {
  const tools = [fetched('clang_format', 'clang-format'), fetched('clang_tidy', 'clang-tidy')];
  return !tools.includes(undefined);
}

function asked(variable: string): string | undefined {
  return process.env[variable] || undefined;
}

function fetched(module: string, name: string): string | undefined {
  const file = join(clangToolsFolder, module, 'data', 'bin', name);
  return existsSync(file) ? file : undefined;
}
