/** The command line: two roles, the demo's volume server, and the tools. */
import { Command, CommanderError } from 'commander';
import { addDoctor } from './commands/doctor.ts';
import { addFabricTools } from './commands/fabric-tools.ts';
import { addRoles } from './commands/roles.ts';
import { packageVersion } from './commands/version.ts';
import { addVolumeTools } from './commands/volume-tools.ts';
import { ConfigError } from './config/problem.ts';
import { RdmaUnavailableError } from './rdma/errors.ts';
import { exitCodes } from './tools/exit-codes.ts';
import { endQuietlyOnBrokenPipe, note } from './tools/output.ts';
import { ToolFailure } from './tools/tool-failure.ts';

/** Returns the exit code; a role returns none: it lives on. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  let exitCode: number | undefined;
  const finish = (code: number): void => {
    exitCode = code;
  };
  const program = new Command('seaweed-rdma')
    .description('A transparent read path for SeaweedFS over UCX: a proxy, its targets, and tools.')
    .version(packageVersion())
    .showHelpAfterError('(--help tells more)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 usage, 69 unavailable (a target, UCX, an address), 78 configuration.

Examples:
  seaweed-rdma target --config target.toml      beside each volume server
  seaweed-rdma proxy --config proxy.toml        on each client node
  seaweed-rdma config check proxy.toml          what it would start with
  seaweed-rdma ping --target 10.0.0.1:18515     is the target there, and how far away`,
    );
  addRoles(program, finish);
  addFabricTools(program, finish);
  addDoctor(program, finish);
  addVolumeTools(program, finish);
  await program.parseAsync(argv);
  return exitCode;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version are thrown too; their text is printed already.
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ConfigError) {
    note(message);
    return exitCodes.configuration;
  }
  note(`seaweed-rdma: ${message}`);
  if (error instanceof ToolFailure) return error.exitCode;
  if (error instanceof RdmaUnavailableError) return exitCodes.unavailable;
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
