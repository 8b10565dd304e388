/** The common part of the tools that ask a target: their options, and how a needle is named. */
import { type Command, Option } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import { type NeedleName, parseFidArgument, parseNumberArgument } from '../needle-name.ts';
import { timeOption, ucxNamesValue } from '../option-values.ts';
import { ToolFailure } from '../tool-failure.ts';
import type { FabricFlags } from './fabric-options.ts';

export interface CommonFlags extends FabricFlags {
  readonly timeout: number;
  readonly json?: boolean;
}

export interface NeedleFlags {
  readonly volume?: string;
  readonly needle?: string;
  readonly cookie?: string;
}

export function fabricTool(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--target <host:port>', 'the target to ask')
    .option(
      '--secret-file <file>',
      'file with the secret that target and proxies share, with --target',
    )
    .option('--config <file>', 'proxy.toml or target.toml, for targets and secret')
    .addOption(
      new Option('--transport <name>', 'with --target; tcp: without UCX')
        .choices(['auto', 'ucx', 'tcp'])
        .default('auto'),
    )
    .option('--tls-off', 'with --target and --transport tcp: no TLS', false)
    .option('--device-name <names>', 'UCX_NET_DEVICES, with --target', ucxNamesValue, 'auto')
    .option('--tls <names>', 'UCX_TLS, with --target', ucxNamesValue, 'auto')
    .addOption(timeOption('--connect-timeout <time>', 'deadline of the connection', 2000))
    .addOption(timeOption('--timeout <time>', 'for each answer', 2000))
    .option('--json', 'one JSON object');
}

export function needleOptions(command: Command): Command {
  return command
    .option('--volume <id>', 'volume id, in place of a fid')
    .option('--needle <id>', 'needle id: decimal, or hexadecimal with 0x')
    .option('--cookie <cookie>', "the needle's cookie: decimal, or hexadecimal with 0x");
}

export function needleOf(fid: string | undefined, flags: NeedleFlags): NeedleName | undefined {
  const { volume, needle, cookie } = flags;
  if (volume === undefined && needle === undefined && cookie === undefined) {
    return fid === undefined ? undefined : parseFidArgument(fid);
  }
  if (fid !== undefined || volume === undefined || needle === undefined || cookie === undefined) {
    throw new ToolFailure('give a fid, or all of --volume --needle --cookie', exitCodes.usage);
  }
  return {
    volumeId: Number(parseNumberArgument('volume', volume, 32)),
    needleId: parseNumberArgument('needle', needle, 64),
    cookie: Number(parseNumberArgument('cookie', cookie, 32)),
  };
}

export function isJson({ json = false }: CommonFlags): boolean {
  return json;
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  seaweed-rdma ${line}`).join('\n')}`;
}
