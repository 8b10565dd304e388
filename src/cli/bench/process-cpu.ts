/** CPU time of whole programs, from the kernel's accounting. */
import { readdirSync, readFileSync } from 'node:fs';

/** Unit of /proc/PID/stat: USER_HZ, the same on every Linux that Node runs on. */
const nanosecondsPerTick = 10_000_000;

/** CPU time that some processes have used so far. Threads that end are seen in the ticks only. */
export interface CpuSample {
  readonly nanosecondsByThread: ReadonlyMap<string, number>;
  readonly ticks: number;
}

export function cpuOf(pids: readonly number[]): CpuSample {
  const nanosecondsByThread = new Map<string, number>();
  let ticks = 0;
  for (const pid of pids) {
    ticks += ticksOf(pid);
    for (const thread of threadsOf(pid)) {
      const [ran] = readOrEmpty(`${thread}/schedstat`).split(' ');
      nanosecondsByThread.set(thread, Number(ran));
    }
  }
  return { nanosecondsByThread, ticks };
}

/** In µs. The threads' own clocks are exact; the ticks are not, but count the threads that ended, too. */
export function cpuUsBetween(before: CpuSample, after: CpuSample): number {
  let nanoseconds = 0;
  for (const [thread, ran] of after.nanosecondsByThread) {
    nanoseconds += ran - (before.nanosecondsByThread.get(thread) ?? 0);
  }
  // Two clocks are cut off to ticks: a difference of one says nothing.
  const atLeast = (after.ticks - before.ticks - 1) * nanosecondsPerTick;
  return Math.max(nanoseconds, atLeast) / 1e3;
}

function ticksOf(pid: number): number {
  const fields = fieldsOf(readOrEmpty(`/proc/${pid}/stat`));
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Splits /proc/PID/stat, from the state on: the first field after the name in brackets. */
export function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Their folders below /proc. */
export function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  } catch {
    return [];
  }
}

/** '': what it is about has ended meanwhile. */
export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
