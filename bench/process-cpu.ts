/** Wake-ups and families of whole programs, from the kernel's accounting. */
import { readdirSync } from 'node:fs';
import { fieldsOf, readOrEmpty, threadsOf } from '../src/cli/bench/process-cpu.ts';

/** Times that a thread of them went to sleep by itself, so far. */
export function sleepsOf(pids: readonly number[]): number {
  const statuses = pids.flatMap(threadsOf).map((thread) => readOrEmpty(`${thread}/status`));
  return statuses
    .map((status) => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0))
    .reduce((sum, count) => sum + count, 0);
}

/** The process and all that it started, as far as they run. */
export function familyOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readOrEmpty(`/proc/${name}/stat`) : '';
    if (stat !== '') parents.set(Number(name), Number(fieldsOf(stat)[1]));
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family;
}
