/** `bench`: one target by itself, or several ways of reading beside each other. */
import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import {
  type CommonFlags,
  examples,
  fabricTool,
  isJson,
  type NeedleFlags,
  needleOf,
  needleOptions,
} from '../fabric/fabric-command.ts';
import { requiredFabricOptions } from '../fabric/fabric-options.ts';
import { type NeedleName, parseFidArgument } from '../needle-name.ts';
import { sampleNeedles } from '../needle-sample.ts';
import { collected, countValue, sizeOption, urlValue } from '../option-values.ts';
import { note } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';
import {
  type PathFlags,
  pathsOf,
  type Surroundings,
  surroundingsOf,
  type Transport,
  tlsOf,
} from './bench-paths.ts';
import { type ComparisonOptions, runComparison } from './comparison.ts';
import { runTargetBench } from './target-bench.ts';

/** Enough that no single record is measured, few enough to stay in the page cache. */
const sampleMax = 1000;

interface BenchFlags extends CommonFlags, NeedleFlags, PathFlags {
  readonly iterations: number;
  readonly size: number;
  readonly depth: number;
  readonly dir?: readonly string[];
  readonly rate?: number;
  readonly rounds: number;
  readonly cpuOf?: readonly number[];
  readonly markdown?: boolean;
}

export function addBench(program: Command, finish: (exitCode: number) => void): void {
  const description =
    'measures latency and bandwidth of reads: of a target, or of several paths in turn';
  needleOptions(fabricTool(program, 'bench', description))
    .argument('[fid...]', 'needles to read in turn; without any: round trips of PING')
    .option(
      '--dir <dir>',
      "takes needles of about that size from a volume server's directory",
      collected,
    )
    .option('--iterations <n>', 'reads of each path, in all', countValue, 10_000)
    .addOption(
      sizeOption('--size <size>', 'bytes of each read; a shorter needle is read whole', 4096),
    )
    .option('--depth <n>', 'reads at once', countValue, 1)
    .option('--http <url>', 'compares: the volume server, asked directly', urlValue)
    .option('--proxy <url>', 'compares: the proxy, over HTTP', urlValue)
    .option(
      '--transports <names>',
      'compares: the target by each of tcp, shm, rdma',
      transportsValue,
    )
    .option(
      '--rate <n>',
      'reads begun each second, whether earlier ones have ended or not',
      countValue,
    )
    .option('--rounds <n>', 'number of rounds in which the paths take turns', countValue, 5)
    .option('--cpu-of <pid>', 'a server on this machine whose CPU is counted too', pidValue)
    .option('--markdown', 'prints the comparison as a table in Markdown')
    .addHelpText(
      'after',
      `
With --config, --http, --proxy, --transports or --rate the same needles are read by every path, round by round, and first
compared byte by byte. --config takes the volume server, the proxy and the target of the file; a target's file also names
the directories that needles are taken from. p50 ÷ first is the median over the rounds.
${examples(
  'bench 3,01637037d6 --target 127.0.0.1:18515 --iterations 10000 --size 4KiB',
  'bench --dir /data --target 127.0.0.1:18515 --size 64KiB --depth 8',
  'bench 3,01637037d6 --config proxy.toml',
  'bench 3,01637037d6 --http http://10.0.0.1:8080 --proxy http://127.0.0.1:8080 --target 10.0.0.1:18515 --transports tcp,rdma',
  'bench --dir /data --proxy http://127.0.0.1:8080 --rate 2000 --json',
)}`,
    )
    .action(async (fids: readonly string[], flags: BenchFlags) => {
      const around = surroundingsOf(flags.config);
      const needles = await needlesOf(fids, flags, around);
      const isComparison =
        [flags.http, flags.proxy, flags.transports, flags.rate].some(
          (flag) => flag !== undefined,
        ) ||
        flags.markdown === true ||
        (flags.config !== undefined && needles.length > 0);
      if (isComparison) finish(await compare(needles, flags, around));
      else finish(await benchTarget(needles, flags));
    });
}

/** Those that are named, else some of the directories that the file names. */
async function needlesOf(
  fids: readonly string[],
  flags: BenchFlags,
  around: Surroundings,
): Promise<readonly NeedleName[]> {
  const named = needleOf(undefined, flags);
  const needles = [...fids.map(parseFidArgument), ...(named === undefined ? [] : [named])];
  const { size: bytes, dir } = flags;
  if (dir !== undefined) needles.push(...(await sampleNeedles(dir, bytes, sampleMax)));
  else if (needles.length === 0) needles.push(...(await ownNeedles(around.dirs, bytes)));
  if (needles.length === 0 && flags.config !== undefined) {
    note('no needle is named: give fids or --dir DIR to compare volume server, proxy and target');
  }
  return needles;
}

/** A file may be for another machine, and its directories may be empty. */
async function ownNeedles(dirs: readonly string[], bytes: number): Promise<readonly NeedleName[]> {
  if (dirs.length === 0 || !dirs.every((dir) => existsSync(dir))) return [];
  return sampleNeedles(dirs, bytes, sampleMax).catch((error: unknown) => {
    if (error instanceof ToolFailure) return [];
    throw error;
  });
}

function benchTarget(needles: readonly NeedleName[], flags: BenchFlags): Promise<number> {
  const { iterations, depth, size: bytes, timeout: timeoutMs } = flags;
  const fabric = requiredFabricOptions(flags);
  return runTargetBench({
    fabric,
    needles,
    iterations,
    depth,
    bytes,
    timeoutMs,
    json: isJson(flags),
  });
}

function compare(
  needles: readonly NeedleName[],
  flags: BenchFlags,
  around: Surroundings,
): Promise<number> {
  const { iterations, depth, size: bytes, timeout: timeoutMs, rounds } = flags;
  if (isJson(flags) && flags.markdown === true) {
    throw new ToolFailure('give --json or --markdown, not both', exitCodes.usage);
  }
  const options: ComparisonOptions = {
    paths: pathsOf(flags, around),
    needles,
    bytes,
    iterations,
    depth,
    ratePerSecond: flags.rate ?? 0,
    rounds,
    timeoutMs,
    servers: flags.cpuOf ?? [],
    output: isJson(flags) ? 'json' : flags.markdown === true ? 'markdown' : 'table',
  };
  return runComparison(options);
}

function transportsValue(text: string): Transport[] {
  return text.split(',').map((name) => {
    if (Object.hasOwn(tlsOf, name)) return name as Transport;
    throw new InvalidArgumentError(`They are ${Object.keys(tlsOf).join(', ')}.`);
  });
}

function pidValue(text: string, before: readonly number[] = []): number[] {
  return [...before, countValue(text)];
}
