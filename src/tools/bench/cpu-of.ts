/** CPU time of other processes on this machine, all their threads, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { ToolFailure } from '../tool-failure.ts';

/** Microseconds in all. Throws ToolFailure where one is not there. */
export function cpuUsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ofProcess(pid), 0);
}

function ofProcess(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  try {
    return readdirSync(tasks).reduce((sum, task) => {
      const [nanoseconds = '0'] = readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ');
      return sum + Number(nanoseconds) / 1000;
    }, 0);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ToolFailure(`--cpu-of ${pid}: ${why}`);
  }
}
