/** Layer 5, too: room in /dev/shm for UCX. */
import {
  type ShmRoom,
  shmBytesOfWorker,
  shmFix,
  shmPath,
  shmShortage,
} from '../../rdma/shared-memory.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { formatBytes } from './machine-files.ts';
import type { Settings } from './setup.ts';

/** Names of UCX_TLS that stand for, or contain, shared memory in /dev/shm. */
const shmNames = ['posix', 'mm', 'shm', 'sm', 'all'];

export function judgeSharedMemory(
  settings: Settings | undefined,
  room: ShmRoom | undefined,
): Finding {
  const { tls = 'auto', transport = 'ucx', mode = 'prefer' } = settings ?? {};
  if (transport === 'inproc' || mode === 'off') {
    return skip('shared-memory', 'this configuration does not use UCX');
  }
  const isAuto = tls === 'auto';
  const isWanted = tls.startsWith('^')
    ? !shmNames.some((name) => tls.slice(1).split(',').includes(name))
    : shmNames.some((name) => tls.split(',').includes(name));
  if (!isAuto && !isWanted) {
    return skip('shared-memory', `rdma.tls = "${tls}" takes no shared memory in ${shmPath}`);
  }
  const free = room === undefined ? 'not there' : `${formatBytes(room.bytesFree)} free`;
  const evidence = [
    `${shmPath}: ${free}${room === undefined ? '' : ` of ${formatBytes(room.bytesTotal)}`}; a process that uses UCX takes up to ${formatBytes(shmBytesOfWorker)}`,
  ];
  if (shmShortage(room) === undefined) return ok('shared-memory', `${shmPath} has room`, evidence);
  const fix = [shmFix] as const;
  if (isAuto) {
    const summary = `${shmPath} is full: UCX goes on without its shared memory there`;
    return warn('shared-memory', { summary, evidence, fix });
  }
  const summary = `${shmPath} is full, and rdma.tls = "${tls}" needs it: the role does not start`;
  return fail('shared-memory', {
    summary,
    evidence,
    fix: [...fix, 'or set rdma.tls = "auto", which goes on without it'],
  });
}
