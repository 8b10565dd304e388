/** `seaweed-rdma bench` over several paths: the same needles, in turn, round by round. */

import { nearestRank } from '../../telemetry/percentiles.ts';
import { exitCodes } from '../exit-codes.ts';
import { fidOf, type NeedleName } from '../needle-name.ts';
import { note, print, printJson } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';
import {
  type ComparedPath,
  comparisonTable,
  markdownOf,
  type PathFigures,
} from './comparison-report.ts';
import type { PathRun, PathSpec } from './path.ts';
import { PathChild, PathUnavailable } from './path-child.ts';
import { type CpuSample, cpuOf, cpuUsBetween, threadsOf } from './process-cpu.ts';

export interface ComparisonOptions {
  readonly paths: readonly PathSpec[];
  readonly needles: readonly NeedleName[];
  readonly bytes: number;
  /** Reads of each path, in all rounds together. */
  readonly iterations: number;
  readonly depth: number;
  /** 0: closed loop. */
  readonly ratePerSecond: number;
  readonly rounds: number;
  readonly timeoutMs: number;
  /** Processes on this machine whose CPU counts as the servers'. */
  readonly servers: readonly number[];
  readonly output: 'table' | 'json' | 'markdown';
}

/** Needles whose bytes are compared between the paths; of the others only the lengths are. */
const comparedMax = 64;
const warmUpMax = 200;

/** Returns the exit code: failed when paths differ in bytes, or a read failed. */
export async function runComparison(options: ComparisonOptions): Promise<number> {
  const { needles } = options;
  if (needles.length === 0) {
    throw new ToolFailure(
      'which needles? Give fids, or --dir DIR of a volume server',
      exitCodes.usage,
    );
  }
  const children: PathChild[] = [];
  const unavailable: ComparedPath[] = [];
  try {
    for (const spec of options.paths) {
      const child = new PathChild(spec);
      try {
        await child.open(spec, options);
        children.push(child);
      } catch (error) {
        child.close();
        if (!(error instanceof PathUnavailable)) throw error;
        unavailable.push({ name: spec.name, detail: error.message, figures: undefined });
      }
    }
    if (children.length === 0) {
      const why = unavailable.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
      throw new ToolFailure(`no path can be had: ${why}`, exitCodes.unavailable);
    }
    await compareBytes(children, needles);
    const figures = await measure(children, options);
    report([...figures, ...unavailable], options);
    const hasFailures = figures.some(
      (path) => Object.keys(path.figures?.failures ?? {}).length > 0,
    );
    return hasFailures ? exitCodes.failed : exitCodes.done;
  } finally {
    for (const child of children) child.close();
  }
}

/** Throws ToolFailure at the first difference. */
async function compareBytes(
  children: readonly PathChild[],
  needles: readonly NeedleName[],
): Promise<void> {
  const digests = await Promise.all(children.map((child) => child.sample(comparedMax)));
  for (const [index, needle] of needles.entries()) {
    const [first, ...others] = digests.map((each) => each[index] ?? '');
    const different = others.findIndex((digest) => digest !== first);
    if (different >= 0) {
      const [a, b] = [children[0], children[different + 1]];
      throw new ToolFailure(
        `${fidOf(needle)} differs: ${a?.name} gives ${first}, ${b?.name} gives ${others[different]}`,
      );
    }
    if (first?.startsWith('failed')) throw new ToolFailure(`${fidOf(needle)}: ${first}`);
  }
}

async function measure(
  children: readonly PathChild[],
  { iterations, ratePerSecond, rounds, servers }: ComparisonOptions,
): Promise<ComparedPath[]> {
  const each = Math.max(1, Math.ceil(iterations / rounds));
  const runs = new Map<PathChild, { run: PathRun; serverCpuUs: number }[]>();
  const show = progress(rounds * children.length);
  for (const child of children) await child.run(Math.min(each, warmUpMax), ratePerSecond);
  for (let round = 0; round < rounds; round += 1) {
    // The first path meets cold caches, so each path goes first in turn.
    const inTurn = children.map((_, index) => children[(index + round) % children.length]);
    for (const child of inTurn as PathChild[]) {
      const before = serversCpu(servers);
      const run = await child.run(each, ratePerSecond);
      const serverCpuUs = cpuUsBetween(before, serversCpu(servers));
      runs.set(child, [...(runs.get(child) ?? []), { run, serverCpuUs }]);
      show();
    }
  }
  return children.map((child) => ({
    name: child.name,
    detail: child.detail,
    figures: figuresOf(runs.get(child) ?? [], servers.length > 0),
  }));
}

/** Throws ToolFailure where one is not there: its share would be missing from the sum. */
function serversCpu(servers: readonly number[]): CpuSample {
  const gone = servers.find((pid) => threadsOf(pid).length === 0);
  if (gone !== undefined) throw new ToolFailure(`--cpu-of ${gone}: there is no such process`);
  return cpuOf(servers);
}

function figuresOf(
  runs: readonly { readonly run: PathRun; readonly serverCpuUs: number }[],
  hasServers: boolean,
): PathFigures {
  const all = Float64Array.from(runs.flatMap(({ run }) => [...run.latenciesUs])).sort();
  const sum = (of: (run: PathRun) => number): number =>
    runs.reduce((total, { run }) => total + of(run), 0);
  const reads = all.length;
  const failures: Record<string, number> = {};
  for (const { run } of runs) {
    for (const [why, count] of Object.entries(run.failures)) {
      failures[why] = (failures[why] ?? 0) + count;
    }
  }
  const serverCpuUs = runs.reduce((total, each) => total + each.serverCpuUs, 0);
  return {
    reads,
    readsPerSecond: reads / sum(({ seconds }) => seconds),
    bytesPerSecond: sum(({ bytes }) => bytes) / sum(({ seconds }) => seconds),
    latencyUs: {
      p50: nearestRank(all, 0.5),
      p90: nearestRank(all, 0.9),
      p99: nearestRank(all, 0.99),
      p999: nearestRank(all, 0.999),
      max: nearestRank(all, 1),
    },
    cpuUsPerRead: reads === 0 ? 0 : sum(({ cpuUs }) => cpuUs) / reads,
    serverCpuUsPerRead: hasServers && reads > 0 ? serverCpuUs / reads : undefined,
    rounds: runs.map(({ run }) => ({
      readsPerSecond: run.latenciesUs.length / run.seconds,
      p50Us: run.latenciesUs.toSorted()[Math.floor(run.latenciesUs.length / 2)] ?? 0,
    })),
    failures,
  };
}

/** A bar on stderr, where that is a terminal. */
function progress(all: number): () => void {
  if (process.stderr.isTTY !== true) return () => undefined;
  let done = 0;
  return () => {
    done += 1;
    const filled = Math.round((30 * done) / all);
    const line = `[${'#'.repeat(filled)}${' '.repeat(30 - filled)}] ${done} of ${all}`;
    process.stderr.write(done === all ? '\r\u001b[K' : `\r${line}`);
  };
}

function report(paths: readonly ComparedPath[], options: ComparisonOptions): void {
  const { output, bytes, depth, ratePerSecond, rounds, needles } = options;
  if (output === 'json') {
    printJson({ bytes, depth, ratePerSecond, rounds, needles: needles.length, paths });
    return;
  }
  const load =
    ratePerSecond === 0 ? `${depth} at once` : `${ratePerSecond} a second, whatever is under way`;
  print(`${needles.length} needles, ${bytes} bytes of each, ${load}, ${rounds} rounds in turn`);
  for (const line of output === 'markdown' ? markdownOf(paths) : comparisonTable(paths))
    print(line);
  for (const { name, figures } of paths) {
    for (const [why, count] of Object.entries(figures?.failures ?? {})) {
      note(`${name}: ${count} reads failed: ${why}`);
    }
  }
}
