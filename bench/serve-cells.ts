/** Measures the groups of a plan: every server in turn, round after round, by the same load. */
import { setTimeout as pause } from 'node:timers/promises';
import { type CpuSample, cpuOf, cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import { busyShares, coreTimes } from './core-times.ts';
import { askInTurn, type Load } from './load.ts';
import type { Needles } from './needles.ts';
import { inRounds, median, round } from './rounds.ts';
import { type Group, isReading, type SubjectName, type Work } from './serve-plan.ts';
import { cpuOfSubject, type Subject, type Subjects } from './subjects.ts';

/** CPU times are of one request. */
export interface Round {
  readonly requestsPerSecond: number;
  /** CPU of the server's own processes. */
  readonly serverCpuUs: number;
  /** And of its target, where it has one. */
  readonly cpuUs: number;
  readonly upstreamCpuUs: number;
  /** Share of the time that the server under test ran. */
  readonly busy: number;
  /** That anything ran on its core. */
  readonly coreBusy: number;
  /** That anything ran on the load generator's core. */
  readonly otherCoreBusy: number;
}

/**
 * The limit that kept the server from answering more: only where it was the server itself may requests a second be compared.
 * `neighbours`: its core had no time left, and the server did not get all of it.
 */
export type Limit = 'itself' | 'generator' | 'neighbours';

export interface Cell extends Round {
  readonly work: Work;
  readonly bytes: number;
  readonly connections: number;
  readonly subject: SubjectName;
  readonly limitedBy: Limit;
  /** Something that should have answered by itself did not. */
  readonly hasAskedUpstream: boolean;
  /** Body bytes by the CPU of server and target. */
  readonly megabytesPerCpuSecond: number;
  readonly rounds: readonly Round[];
}

export interface CellOptions {
  readonly rounds: number;
  readonly seconds: number;
}

/** Less than this share of its core: something else was the slowest. */
export const saturatedShare = 0.95;
const hitShareMin = 0.999;
/** How long one look is, and how many there are at most until a server is taken as it is. */
const quietLookMs = 40;
const quietLooksMax = 50;
/** Share of a core, in all. */
const quietShare = 0.1;
/** Brought by the first read; a prepared answer or a place in a cache comes with the second. */
const warmUpTurns = 2;
/** Share of the server's CPU: a volume server that is not asked takes less. */
const upstreamShareMax = 0.2;
const ownAnswers: ReadonlySet<SubjectName> = new Set([
  ...(['strict', 'signed', 'immutable', 'lane-off', 'miss-shm', 'miss-tcp'] as const),
  ...(['nginx-cache', 'varnish'] as const),
]);

/** Every needle of it is in every cache then. */
export async function warmUp(
  subjects: Subjects,
  names: Iterable<SubjectName>,
  all: readonly Needles[],
): Promise<void> {
  for (const name of names) {
    const subject = subjects.get(name);
    if (subject === undefined) continue;
    for (const needles of all) {
      for (let i = 0; i < warmUpTurns; i += 1) await askInTurn(subject.port, needles, 0);
    }
  }
}

/** Measures those of its servers that run; one round more than asked for is measured and dropped. */
export async function measureGroup(
  subjects: Subjects,
  group: Group,
  load: Load,
  { rounds, seconds }: CellOptions,
): Promise<readonly Cell[]> {
  const names = group.subjects.filter((name) => subjects.get(name) !== undefined);
  const figures = await inRounds(names, rounds + 1, (name) => {
    const subject = subjects.get(name) as Subject;
    return subjects.onOwnCore(subject, () =>
      orOnceMore(() => measureRound(subject, group, load, seconds)),
    );
  });
  return names.map((name) => cellOf(group, name, figures[name].slice(1)));
}

/** A cell that the machine spoiled does not end a run of many minutes; one that fails twice does. */
export async function orOnceMore<Figure>(measure: () => Promise<Figure>): Promise<Figure> {
  try {
    return await measure();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    process.stderr.write(`bench: measured once more, since ${said}\n`);
    return measure();
  }
}

async function measureRound(
  subject: Subject,
  { work, connections }: Group,
  load: Load,
  seconds: number,
): Promise<Round> {
  await whenQuiet(subject);
  const hitsBefore = (await subject.cacheStats?.())?.hits;
  const coresBefore = coreTimes();
  const before = samplesOf(subject);
  const run = await load.run(subject.port, connections, seconds).catch((cause: unknown) => {
    throw new Error(`${subject.name}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  const after = samplesOf(subject);
  const [core = 1, ...otherCores] = busyShares(coresBefore, coreTimes());
  const hitsAfter = (await subject.cacheStats?.())?.hits;
  if (work === 'read' && hitsBefore !== undefined && hitsAfter !== undefined) {
    mustBeHits(subject.name, hitsAfter - hitsBefore, run.requests);
  }
  const serverUs = cpuUsBetween(before.server, after.server);
  const targetUs = cpuUsBetween(before.target, after.target);
  return {
    requestsPerSecond: run.requestsPerSecond,
    serverCpuUs: serverUs / run.requests,
    cpuUs: (serverUs + targetUs) / run.requests,
    upstreamCpuUs: cpuUsBetween(before.upstream, after.upstream) / run.requests,
    busy: serverUs / (run.seconds * 1e6),
    coreBusy: core,
    otherCoreBusy: Math.max(0, ...otherCores),
  };
}

/** Answers that the asker before left unread are worked on for a while, behind this server too. */
async function whenQuiet(subject: Subject): Promise<void> {
  for (let look = 0; look < quietLooksMax; look += 1) {
    const before = samplesOf(subject);
    await pause(quietLookMs);
    const after = samplesOf(subject);
    const ranUs = (['server', 'target', 'upstream'] as const)
      .map((each) => cpuUsBetween(before[each], after[each]))
      .reduce((sum, each) => sum + each, 0);
    if (ranUs < quietLookMs * 1e3 * quietShare) return;
  }
}

interface Samples {
  readonly server: CpuSample;
  readonly target: CpuSample;
  readonly upstream: CpuSample;
}

function samplesOf(subject: Subject): Samples {
  const of = (pid: number | undefined): CpuSample => cpuOf(pid === undefined ? [] : [pid]);
  return {
    server: cpuOfSubject(subject),
    target: of(subject.targetPid),
    upstream: of(subject.upstreamPid),
  };
}

function cellOf(group: Group, subject: SubjectName, rounds: readonly Round[]): Cell {
  const { work, bytes, connections } = group;
  const of = (figure: keyof Round, digits: number): number =>
    round(median(rounds.map((each) => each[figure])), digits);
  const cpuUs = of('cpuUs', 2);
  const upstreamCpuUs = of('upstreamCpuUs', 2);
  const [busy, coreBusy] = [of('busy', 3), of('coreBusy', 3)];
  return {
    ...{ work, bytes, connections, subject },
    requestsPerSecond: of('requestsPerSecond', 0),
    serverCpuUs: of('serverCpuUs', 2),
    cpuUs,
    upstreamCpuUs,
    busy,
    coreBusy,
    otherCoreBusy: of('otherCoreBusy', 3),
    limitedBy: limitOf(busy, coreBusy),
    hasAskedUpstream:
      isReading(work) && ownAnswers.has(subject) && upstreamCpuUs > cpuUs * upstreamShareMax,
    megabytesPerCpuSecond: Math.round(bytes / cpuUs),
    rounds,
  };
}

function limitOf(busy: number, coreBusy: number): Limit {
  if (busy >= saturatedShare) return 'itself';
  return coreBusy >= saturatedShare ? 'neighbours' : 'generator';
}

/** A figure of hits is one of hits. */
function mustBeHits(name: string, hits: number, requests: number): void {
  if (hits >= requests * hitShareMin) return;
  throw new Error(`${name}: ${hits} of ${requests} requests were hits`);
}
