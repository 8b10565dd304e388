/** `ping`, `capabilities`, `read` and `bench`: the tools that ask a target. */
import type { Command } from 'commander';
import { runBench } from '../tools/bench.ts';
import { runCapabilities } from '../tools/capabilities.ts';
import { exitCodes } from '../tools/exit-codes.ts';
import { type NeedleName, parseFidArgument, parseNumberArgument } from '../tools/needle-name.ts';
import { sampleNeedles } from '../tools/needle-sample.ts';
import { runPing } from '../tools/ping.ts';
import { runRead } from '../tools/read.ts';
import { ToolFailure } from '../tools/tool-failure.ts';
import { type FabricFlags, fabricOptions, requiredFabricOptions } from './fabric-options.ts';
import { collected, countValue, durationValue, sizeValue } from './option-values.ts';
import { packageVersion } from './version.ts';

/** Enough that no single record is measured, few enough to stay in the page cache. */
const sampleMax = 1000;

const whichNeedle = 'which needle? Give a fid, or --volume --needle --cookie';

interface CommonFlags extends FabricFlags {
  readonly timeout: number;
  readonly json?: boolean;
}

interface NeedleFlags {
  readonly volume?: string;
  readonly needle?: string;
  readonly cookie?: string;
}

export function addFabricTools(program: Command, finish: (exitCode: number) => void): void {
  fabricTool(program, 'ping', 'round trips to a target')
    .option('--count <n>', 'how many', countValue, 5)
    .option('--interval <time>', 'between two', durationValue, 200)
    .addHelpText('after', examples('ping --target 127.0.0.1:18515 --count 100 --interval 1ms'))
    .action(async (flags: CommonFlags & { count: number; interval: number }) => {
      const fabric = requiredFabricOptions(flags);
      const { count, interval: intervalMs, timeout: timeoutMs } = flags;
      finish(await runPing({ fabric, count, intervalMs, timeoutMs, json: isJson(flags) }));
    });

  fabricTool(program, 'capabilities', 'what this machine has, and what a target announces')
    .addHelpText('after', examples('capabilities', 'capabilities --target 127.0.0.1:18515 --json'))
    .action(async (flags: CommonFlags) => {
      const fabric = fabricOptions(flags);
      const version = packageVersion();
      const { timeout: timeoutMs } = flags;
      finish(await runCapabilities({ version, fabric, timeoutMs, json: isJson(flags) }));
    });

  needleOptions(fabricTool(program, 'read', 'one needle, its checksum verified, as it is stored'))
    .argument('[fid]', 'such as 3,01637037d6')
    .option('--output <file>', 'where to write the data (default: stdout)')
    .option('--metadata', 'no data, only what the needle says of itself')
    .option('--max-size <size>', 'larger needles are refused', sizeValue, 64 * 2 ** 20)
    .addHelpText(
      'after',
      examples(
        'read 3,01637037d6 --target 127.0.0.1:18515 --output out.jpg',
        'read --volume 3 --needle 0x01 --cookie 0x637037d6 --config proxy.toml --json',
      ),
    )
    .action(async (fid: string | undefined, flags: ReadFlags) => {
      const needle = needleOf(fid, flags);
      if (needle === undefined) {
        throw new ToolFailure(whichNeedle, exitCodes.usage);
      }
      const exitCode = await runRead({
        fabric: requiredFabricOptions(flags),
        needle,
        output: flags.output,
        metadataOnly: flags.metadata ?? false,
        bytesMax: flags.maxSize,
        timeoutMs: flags.timeout,
        json: isJson(flags),
      });
      finish(exitCode);
    });

  needleOptions(fabricTool(program, 'bench', 'latency and bandwidth of reads from a target'))
    .argument('[fid...]', 'needles to read in turn; without any: round trips of PING')
    .option(
      '--dir <dir>',
      "takes needles of about that size from the target's own directory",
      collected,
    )
    .option('--iterations <n>', 'reads in all', countValue, 10_000)
    .option('--size <size>', 'bytes of each read; a shorter needle is read whole', sizeValue, 4096)
    .option('--depth <n>', 'reads in flight', countValue, 1)
    .addHelpText(
      'after',
      examples(
        'bench 3,01637037d6 --target 127.0.0.1:18515 --iterations 10000 --size 4KiB',
        'bench --dir /data --target 127.0.0.1:18515 --size 64KiB --depth 8',
      ),
    )
    .action(async (fids: readonly string[], flags: BenchFlags) => {
      const named = needleOf(undefined, flags);
      const needles = [...fids.map(parseFidArgument), ...(named === undefined ? [] : [named])];
      const { iterations, depth, size: bytes, timeout: timeoutMs, dir } = flags;
      if (dir !== undefined) needles.push(...(await sampleNeedles(dir, bytes, sampleMax)));
      const fabric = requiredFabricOptions(flags);
      const json = isJson(flags);
      finish(await runBench({ fabric, needles, iterations, depth, bytes, timeoutMs, json }));
    });
}

interface ReadFlags extends CommonFlags, NeedleFlags {
  readonly output?: string;
  readonly metadata?: boolean;
  readonly maxSize: number;
}

interface BenchFlags extends CommonFlags, NeedleFlags {
  readonly iterations: number;
  readonly size: number;
  readonly depth: number;
  readonly dir?: readonly string[];
}

function fabricTool(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--target <host:port>', 'the target to ask')
    .option('--secret-file <file>', 'what target and proxies share, with --target')
    .option('--config <file>', 'proxy.toml or target.toml: targets and secret from there')
    .option('--device-name <names>', 'UCX_NET_DEVICES, with --target', 'auto')
    .option('--tls <names>', 'UCX_TLS, with --target', 'auto')
    .option('--connect-timeout <time>', 'to connect', durationValue, 2000)
    .option('--timeout <time>', 'for each answer', durationValue, 2000)
    .option('--json', 'one JSON object');
}

function needleOptions(command: Command): Command {
  return command
    .option('--volume <id>', 'volume id, in place of a fid')
    .option('--needle <id>', 'needle id: decimal, or hexadecimal with 0x')
    .option('--cookie <cookie>', "the needle's cookie: decimal, or hexadecimal with 0x");
}

function needleOf(fid: string | undefined, flags: NeedleFlags): NeedleName | undefined {
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

function isJson({ json = false }: CommonFlags): boolean {
  return json;
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  seaweed-rdma ${line}`).join('\n')}`;
}
