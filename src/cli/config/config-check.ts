/** `seaweed-rdma config check FILE…`. */
import { type CheckedFile, checkFile, type Role } from '../../config/check-file.ts';
import { excerptOf } from '../../config/excerpt.ts';
import { ConfigError, type ConfigProblem, formatProblem } from '../../config/problem.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, noteStyled, print, printJson, visible, visibleLines } from '../output.ts';
import { readConfigArgument } from './config-argument.ts';

export interface CheckOptions {
  readonly role: Role | undefined;
  /** Warnings are errors. */
  readonly strict: boolean;
  readonly json: boolean;
}

type Verdict =
  | ({ readonly ok: boolean } & CheckedFile)
  | { readonly ok: false; readonly file: string; readonly problems: readonly ConfigProblem[] };

/** Returns the exit code. */
export function runConfigCheck(files: readonly string[], options: CheckOptions): number {
  const verdicts = files.map((file) => check(file, options));
  const ok = verdicts.every((verdict) => verdict.ok);
  if (options.json) printJson(verdicts.length === 1 ? verdicts[0] : { ok, files: verdicts });
  return ok ? exitCodes.done : exitCodes.configuration;
}

function check(file: string, { role, strict, json }: CheckOptions): Verdict {
  let text = '';
  try {
    const source = readConfigArgument(file);
    text = source.text;
    const checked = checkFile(source, role, process.env);
    if (!json) printChecked(checked, strict);
    return { ok: !strict || checked.warnings.length === 0, ...checked };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (!json) for (const problem of error.problems) printProblem(problem, text);
    return { ok: false, file, problems: error.problems };
  }
}

function printProblem(problem: ConfigProblem, text: string): void {
  noteStyled(red(formatProblem(problem)));
  for (const line of excerptOf(text, problem, visibleLines)) note(line);
}

function printChecked({ role, file, keys, warnings }: CheckedFile, strict: boolean): void {
  print(`${file}: a sound configuration of the ${role}`);
  const shown = keys.map(({ key, value, from }) => ({
    text: `${key} = ${JSON.stringify(value)}`,
    from,
  }));
  const width = Math.min(60, Math.max(...shown.map(({ text }) => text.length)));
  for (const { text, from } of shown) print(`  ${text.padEnd(width)}  # ${from}`);
  for (const warning of warnings) {
    if (strict) noteStyled(red(`${file}: ${warning} (an error with --strict)`));
    else print(`warning: ${warning}`);
  }
}

/** On a terminal that has not asked for plain text (no-color.org). The text's own colours are none. */
function red(line: string): string {
  const text = visible(line);
  const isPlain = !process.stderr.isTTY || (process.env['NO_COLOR'] ?? '') !== '';
  return isPlain ? text : `\u001b[31m${text}\u001b[0m`;
}
