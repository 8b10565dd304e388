/** Commands that run their arguments with mounts, interfaces or limits of their own, where this user may have that. */
import { spawnSync } from 'node:child_process';

/** Shell words: a /dev/shm of `sizeMiB` that holds `usedMiB` already. */
export function smallShm(sizeMiB: number, usedMiB: number): string {
  const fill = usedMiB === 0 ? '' : ` && head -c ${usedMiB}M /dev/zero > /dev/shm/fill`;
  return `mount -t tmpfs -o size=${sizeMiB}m tmpfs /dev/shm${fill}`;
}

export function after(setup: string): readonly string[] {
  return ['sh', '-c', `${setup} && exec "$@"`, 'sh'];
}

export function withOwnMounts(setup: string): readonly string[] {
  return ['unshare', '-m', ...after(setup)];
}

/** With mounts of their own, too: UCX looks for network devices in /sys. */
export function withOwnNetwork(setup: string): readonly string[] {
  const own = 'mount -t sysfs sysfs /sys && ip link set lo up';
  return ['unshare', '-n', '-m', ...after(`${own} && ${setup}`)];
}

export function mayRun([command = '', ...words]: readonly string[]): boolean {
  return spawnSync(command, [...words, 'true']).status === 0;
}
