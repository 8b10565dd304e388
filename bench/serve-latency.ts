/** Latency at half of the saturating load, by the open loop; and the work of a proxy that is not asked. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import type { Needles } from './needles.ts';
import type { OpenLoopOptions, OpenLoopRun } from './open-loop.ts';
import { familyOf, sleepsOf } from './process-cpu.ts';
import { inRounds, median, round } from './rounds.ts';
import type { SubjectName } from './serve-plan.ts';
import { cpuOfSubject, type Subject, type Subjects } from './subjects.ts';

/** One server at one rate; times are medians of the rounds. */
export interface LatencyCell extends Omit<OpenLoopRun, 'requests'> {
  readonly subject: SubjectName;
  readonly requestsPerSecond: number;
  /** Half of its own saturating load, or of the volume server's. */
  readonly halfOf: 'its own' | "the volume server's";
  readonly p99UsByRound: readonly number[];
}

export type LatencyAsked = Pick<LatencyCell, 'subject' | 'requestsPerSecond' | 'halfOf'>;

export interface Idle {
  readonly subject: SubjectName;
  readonly seconds: number;
  /** Share of one core. */
  readonly cpuPercent: number;
  /** Wake-ups of all its threads. */
  readonly wakeUpsPerSecond: number;
}

const connections = 64;
/** The load generator's JIT and the server's are cold. */
const warmUpSeconds = 0.5;
/** Everything that was under way when the traffic stopped is over by then, and its garbage collected. */
const settleMs = 3_000;

export async function measureLatencies(
  subjects: Subjects,
  asked: readonly LatencyAsked[],
  needles: Needles,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<readonly LatencyCell[]> {
  const byKey = new Map(asked.map((each) => [`${each.subject} at half of ${each.halfOf}`, each]));
  const runs = await inRounds([...byKey.keys()], rounds + 1, (key) => {
    const { subject: name, requestsPerSecond } = byKey.get(key) as LatencyAsked;
    const subject = subjects.get(name) as Subject;
    const { port } = subject;
    const options = { port, needles, requestsPerSecond, connections, seconds, warmUpSeconds };
    return subjects.onOwnCore(subject, () => openLoop(options));
  });
  return [...byKey].map(([key, each]) => {
    const kept = (runs[key] as readonly OpenLoopRun[]).slice(1);
    const of = (figure: keyof OpenLoopRun): number =>
      round(median(kept.map((run) => run[figure])), 1);
    return {
      ...each,
      ...{ p50Us: of('p50Us'), p99Us: of('p99Us'), p999Us: of('p999Us') },
      lateP99Us: of('lateP99Us'),
      generatorBusy: round(median(kept.map((run) => run.generatorBusy))),
      unanswered: kept.reduce((sum, run) => sum + run.unanswered, 0),
      p99UsByRound: kept.map((run) => run.p99Us),
    };
  });
}

async function openLoop(options: OpenLoopOptions): Promise<OpenLoopRun> {
  const script = join(import.meta.dirname, 'open-loop-process.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(options)]);
  return JSON.parse(stdout) as OpenLoopRun;
}

/** After its traffic stopped. */
export async function measureIdle(subject: Subject, seconds: number): Promise<Idle> {
  await pause(settleMs);
  const family = familyOf(subject.pid);
  const [cpu, sleeps, from] = [cpuOfSubject(subject), sleepsOf(family), performance.now()];
  await pause(seconds * 1e3);
  const took = (performance.now() - from) / 1e3;
  return {
    subject: subject.name,
    seconds,
    cpuPercent: round((cpuUsBetween(cpu, cpuOfSubject(subject)) / took / 1e6) * 100, 3),
    wakeUpsPerSecond: round((sleepsOf(family) - sleeps) / took, 1),
  };
}
