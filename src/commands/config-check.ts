/** `seaweed-rdma config check FILE`. */
import { type CheckedFile, checkFile, type Role } from '../config/check-file.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import { exitCodes } from '../tools/exit-codes.ts';
import { print, printJson } from '../tools/output.ts';

/** Returns the exit code. */
export function runConfigCheck(
  file: string,
  options: { readonly role: Role | undefined; readonly json: boolean },
): number {
  try {
    const checked = checkFile(file, options.role, process.env);
    if (options.json) printJson({ ok: true, ...checked });
    else printChecked(checked);
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    if (options.json) printJson({ ok: false, file, problems });
    else for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return exitCodes.configuration;
  }
}

function printChecked({ role, file, keys, warnings }: CheckedFile): void {
  print(`${file}: a sound configuration of the ${role}`);
  const shown = keys.map(({ key, value, from }) => ({
    text: `${key} = ${JSON.stringify(value)}`,
    from,
  }));
  const width = Math.min(60, Math.max(...shown.map(({ text }) => text.length)));
  for (const { text, from } of shown) print(`  ${text.padEnd(width)}  # ${from}`);
  for (const warning of warnings) print(`warning: ${warning}`);
}
