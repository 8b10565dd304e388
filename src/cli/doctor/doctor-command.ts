/** `seaweed-rdma doctor`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseHostPort } from '../../config/address.ts';
import type { Role } from '../../config/check-file.ts';
import { nearestKey } from '../../config/nearest-key.ts';
import { parseFidArgument } from '../needle-name.ts';
import { timeOption } from '../option-values.ts';
import { packageVersion } from '../version.ts';
import { type CheckName, checkNames, checksOf, layers } from './check.ts';
import { readSetup } from './doctor-setup.ts';
import { runDoctor } from './run-doctor.ts';

interface DoctorFlags {
  readonly config?: string;
  readonly role?: Role;
  readonly only?: readonly CheckName[];
  readonly skip?: readonly CheckName[];
  readonly fid?: string;
  readonly master?: string;
  readonly timeout: number;
  readonly json?: boolean;
  readonly sysRoot: string;
  readonly procRoot: string;
}

export function addDoctor(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('doctor')
    .description('checks everything that the fast path needs; prints what it found, and the fix')
    .option('--config <file>', 'proxy.toml or target.toml; without it: this machine alone')
    .addOption(
      new Option('--role <role>', 'role of the file, if its sections do not tell').choices([
        'proxy',
        'target',
      ]),
    )
    .option('--only <names>', 'only these layers or checks: memory,device-name', collectedChecks)
    .option('--skip <names>', 'all but these layers or checks', collectedChecks)
    .option('--fid <fid>', 'the needle to compare between RDMA and HTTP')
    .option(
      '--master <host:port>',
      'checks that clients that ask this master reach the proxy',
      masterValue,
    )
    .addOption(timeOption('--timeout <time>', 'deadline of each question to the network', 2000))
    .option('--json', 'one JSON object')
    .option('--sys-root <dir>', "a copy of another machine's /sys", '/sys')
    .option('--proc-root <dir>', "a copy of another machine's /proc", '/proc')
    .addHelpText(
      'after',
      `
Layers: ${layers.join(', ')}

Exit codes: 0 nothing failed (warnings may be there), 1 a check failed, 2 usage, 78 the configuration cannot be used
(the machine is checked all the same).

Examples:
  seaweed-rdma doctor                                 this machine, without a configuration
  seaweed-rdma doctor --config proxy.toml             on a client node
  seaweed-rdma doctor --config target.toml --json     beside a volume server
  seaweed-rdma doctor --config proxy.toml --only needle --fid 3,01637037d6
  seaweed-rdma doctor --config proxy.toml --only clients --master 10.0.0.9:9333`,
    )
    .action(async (flags: DoctorFlags) => {
      quietUcx(process.env);
      const setup = {
        ...readSetup(flags.config, flags.role, process.env),
        version: packageVersion(),
        ucxVariables: ucxVariables(process.env),
        fid: flags.fid === undefined ? undefined : parseFidArgument(flags.fid),
        master: flags.master,
        timeoutMs: flags.timeout,
        roots: { sys: flags.sysRoot, proc: flags.procRoot },
        nearest: nearestKey,
      };
      const { only = [], skip = [], json = false } = flags;
      finish(await runDoctor({ setup, only, skip, json }));
    });
}

function masterValue(text: string): string {
  if (parseHostPort(text) !== undefined) return text;
  throw new InvalidArgumentError("It is a master's HTTP address, such as 10.0.0.9:9333.");
}

/** May be given several times, too. */
function collectedChecks(text: string, before: readonly CheckName[] = []): CheckName[] {
  const checks = text.split(',').flatMap((name) => {
    const found = checksOf(name.trim());
    if (found !== undefined) return found;
    const nearest = nearestKey(name, [...layers, ...checkNames]);
    throw new InvalidArgumentError(
      `"${name}" is no layer and no check; the nearest is "${nearest}". Layers: ${layers.join(', ')}.`,
    );
  });
  return [...before, ...checks];
}

/** UCX prints to stdout what the checks say in their own words. Before the native part is loaded. */
function quietUcx(environment: NodeJS.ProcessEnv): void {
  environment['UCX_LOG_LEVEL'] ??= 'fatal';
  environment['UCX_LOG_FILE'] ??= 'stderr';
}

function ucxVariables(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const own = new Set(['UCX_LOG_LEVEL', 'UCX_LOG_FILE']);
  const found = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[0].startsWith('UCX_') && entry[1] !== undefined,
  );
  return Object.fromEntries(found.filter(([name]) => !own.has(name)));
}
