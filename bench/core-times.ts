/** Work of the machine's cores, from the kernel's accounting. */
import { readFileSync } from 'node:fs';

export interface CoreTimes {
  readonly idle: number;
  readonly total: number;
}

/** By core, since the machine started. */
export function coreTimes(): readonly CoreTimes[] {
  const lines = readFileSync('/proc/stat', 'latin1').split('\n');
  return lines
    .filter((line) => /^cpu\d/.test(line))
    .map((line) => {
      // user, nice, system, idle, iowait, irq, softirq, steal; guest times are in user's.
      const ticks = line.split(/\s+/).slice(1, 9).map(Number);
      const idle = (ticks[3] as number) + (ticks[4] as number);
      return { idle, total: ticks.reduce((sum, each) => sum + each, 0) };
    });
}

/** How much of the time in between each core did anything. */
export function busyShares(
  before: readonly CoreTimes[],
  after: readonly CoreTimes[],
): readonly number[] {
  return after.map(({ idle, total }, core) => {
    const from = before[core] as CoreTimes;
    return total === from.total ? 0 : 1 - (idle - from.idle) / (total - from.total);
  });
}
