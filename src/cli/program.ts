/** The whole command line, built and not run: the program, the man page, completion and their tests start from it. */
import { Command } from 'commander';
import { addAdminTools } from './admin/admin-tools.ts';
import { addBench } from './bench/bench-command.ts';
import { addCompletion } from './completion/completion-command.ts';
import { addDoctor } from './doctor/doctor-command.ts';
import { addFabricTools } from './fabric/fabric-tools.ts';
import { addLog } from './log/log-command.ts';
import { visibleLines } from './output.ts';
import { addRoles } from './roles/roles.ts';
import { packageVersion } from './version.ts';
import { addVolumeTools } from './volume/volume-tools.ts';

/** `finish` is told the exit code; a role does not tell one: it lives on. */
export function createProgram(finish: (exitCode: number) => void): Command {
  const program = new Command('seaweed-rdma')
    .description('A transparent read path for SeaweedFS over UCX: a proxy, its targets, and tools.')
    .version(packageVersion())
    .showHelpAfterError('(--help tells more)')
    .exitOverride()
    // Commander's errors repeat arguments.
    .configureOutput({ writeErr: (text) => process.stderr.write(visibleLines(text)) })
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 usage, 69 unavailable (a target, UCX, an address), 78 configuration.

Examples:
  seaweed-rdma target --config target.toml      # beside each volume server
  seaweed-rdma proxy --config proxy.toml        # on each client node
  seaweed-rdma doctor --config proxy.toml       # every layer, and what to do
  seaweed-rdma ping --target 10.0.0.1:18515     # is the target there, and how far away`,
    );
  addRoles(program, finish);
  addDoctor(program, finish);
  addFabricTools(program, finish);
  addBench(program, finish);
  addAdminTools(program, finish);
  addLog(program, finish);
  addVolumeTools(program, finish);
  addCompletion(program, finish);
  return program;
}
