/** `bench`: one target by itself, or several ways of reading beside each other. */
import { type Command, InvalidArgumentError } from 'commander';
import { type ComparisonOptions, runComparison } from '../tools/bench/comparison.ts';
import type { PathSpec } from '../tools/bench/path.ts';
import { runBench } from '../tools/bench/target-bench.ts';
import { exitCodes } from '../tools/exit-codes.ts';
import type { FabricOptions } from '../tools/fabric.ts';
import { type NeedleName, parseFidArgument } from '../tools/needle-name.ts';
import { sampleNeedles } from '../tools/needle-sample.ts';
import { ToolFailure } from '../tools/tool-failure.ts';
import {
  type CommonFlags,
  examples,
  fabricTool,
  isJson,
  type NeedleFlags,
  needleOf,
  needleOptions,
} from './fabric-command.ts';
import { fabricOptions, requiredFabricOptions } from './fabric-options.ts';
import { collected, countValue, sizeOption, urlValue } from './option-values.ts';

/** Enough that no single record is measured, few enough to stay in the page cache. */
const sampleMax = 1000;

/** UCX_TLS for each; connections are made over TCP whatever carries the data. */
const tlsOf = {
  tcp: 'tcp,self',
  shm: 'tcp,posix,sysv,cma,self',
  rdma: 'rc,dc,ud,self',
} as const;
type Transport = keyof typeof tlsOf;

interface BenchFlags extends CommonFlags, NeedleFlags {
  readonly iterations: number;
  readonly size: number;
  readonly depth: number;
  readonly dir?: readonly string[];
  readonly http?: string;
  readonly proxy?: string;
  readonly transports?: readonly Transport[];
  readonly rate?: number;
  readonly rounds: number;
  readonly cpuOf?: readonly number[];
  readonly markdown?: boolean;
}

export function addBench(program: Command, finish: (exitCode: number) => void): void {
  const description = 'latency and bandwidth of reads: of a target, or of several paths in turn';
  needleOptions(fabricTool(program, 'bench', description))
    .argument('[fid...]', 'needles to read in turn; without any: round trips of PING')
    .option(
      '--dir <dir>',
      "takes needles of about that size from a volume server's directory",
      collected,
    )
    .option('--iterations <n>', 'reads in all, of each path', countValue, 10_000)
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
    .option('--rate <n>', 'reads a second, whether the earlier ones have ended or not', countValue)
    .option('--rounds <n>', 'the paths take turns this often', countValue, 5)
    .option('--cpu-of <pid>', 'a server on this machine whose CPU is counted too', pidValue)
    .option('--markdown', 'the comparison as a table in Markdown')
    .addHelpText(
      'after',
      `
With --http, --proxy, --transports or --rate the same needles are read by every path, round by round, and first compared byte by
byte. p50 ÷ first is the median over the rounds.
${examples(
  'bench 3,01637037d6 --target 127.0.0.1:18515 --iterations 10000 --size 4KiB',
  'bench --dir /data --target 127.0.0.1:18515 --size 64KiB --depth 8',
  'bench 3,01637037d6 --http http://10.0.0.1:8080 --proxy http://127.0.0.1:8080 --target 10.0.0.1:18515 --transports tcp,rdma',
  'bench --dir /data --proxy http://127.0.0.1:8080 --rate 2000 --json',
)}`,
    )
    .action(async (fids: readonly string[], flags: BenchFlags) => {
      const named = needleOf(undefined, flags);
      const needles = [...fids.map(parseFidArgument), ...(named === undefined ? [] : [named])];
      const { size: bytes, dir } = flags;
      if (dir !== undefined) needles.push(...(await sampleNeedles(dir, bytes, sampleMax)));
      const isComparison =
        [flags.http, flags.proxy, flags.transports, flags.rate].some(
          (flag) => flag !== undefined,
        ) || flags.markdown === true;
      finish(await (isComparison ? compare(needles, flags) : benchTarget(needles, flags)));
    });
}

function benchTarget(needles: readonly NeedleName[], flags: BenchFlags): Promise<number> {
  const { iterations, depth, size: bytes, timeout: timeoutMs } = flags;
  const fabric = requiredFabricOptions(flags);
  return runBench({ fabric, needles, iterations, depth, bytes, timeoutMs, json: isJson(flags) });
}

function compare(needles: readonly NeedleName[], flags: BenchFlags): Promise<number> {
  const { iterations, depth, size: bytes, timeout: timeoutMs, rounds } = flags;
  if (isJson(flags) && flags.markdown === true) {
    throw new ToolFailure('give --json or --markdown, not both', exitCodes.usage);
  }
  const options: ComparisonOptions = {
    paths: pathsOf(flags),
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

function pathsOf(flags: BenchFlags): PathSpec[] {
  const { http, proxy, transports } = flags;
  const paths: PathSpec[] = [];
  if (http !== undefined) paths.push({ name: 'http', place: { kind: 'http', url: http } });
  if (proxy !== undefined) paths.push({ name: 'proxy', place: { kind: 'http', url: proxy } });
  const fabric = fabricOptions(flags);
  if (transports !== undefined) {
    if (fabric?.kind !== 'ucx') {
      throw new ToolFailure(
        '--transports of which target? Give --target or --config',
        exitCodes.usage,
      );
    }
    for (const name of transports) paths.push(fabricPath(name, { ...fabric, tls: tlsOf[name] }));
  } else if (fabric !== undefined) {
    paths.push(fabricPath('target', fabric));
  }
  if (paths.length > 0) return paths;
  throw new ToolFailure('what? Give --http, --proxy, --target or --config', exitCodes.usage);
}

function fabricPath(name: string, fabric: FabricOptions): PathSpec {
  return { name, place: { kind: 'fabric', fabric } };
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
