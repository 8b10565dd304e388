/** The command line: two roles, the demo's volume server, and the tools. */
import { CommanderError } from 'commander';
import { exitCodes } from './cli/exit-codes.ts';
import { endQuietlyOnBrokenPipe, note, visible, visibleLines } from './cli/output.ts';
import { createProgram } from './cli/program.ts';
import { ToolFailure } from './cli/tool-failure.ts';
import { ConfigError, formatProblem } from './config/problem.ts';
import { RdmaUnavailableError } from './rdma/errors.ts';

/** Returns the exit code; a role returns none: it lives on. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  let exitCode: number | undefined;
  const finish = (code: number): void => {
    exitCode = code;
  };
  await createProgram(finish).parseAsync(argv);
  return exitCode;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version are thrown too; their text is printed already.
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ConfigError) {
    note(error.problems.map((problem) => visible(formatProblem(problem))).join('\n'));
    return exitCodes.configuration;
  }
  if (error instanceof ToolFailure || error instanceof RdmaUnavailableError) {
    note(`seaweed-rdma: ${visibleLines(message)}`);
    return error instanceof ToolFailure ? error.exitCode : exitCodes.unavailable;
  }
  note(`seaweed-rdma: ${visible(message)}`);
  return exitCodes.failed;
}

endQuietlyOnBrokenPipe();
run(process.argv).then(
  (exitCode) => {
    // Not process.exit: what is still on its way to stdout must get there.
    if (exitCode !== undefined) process.exitCode = exitCode;
  },
  (error: unknown) => {
    process.exitCode = exitCodeOf(error);
  },
);
