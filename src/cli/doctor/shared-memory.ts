/** Layer 5, too: room in /dev/shm for UCX. */
import {
  type ShmRoom,
  shmBytesOfWorker,
  shmFix,
  shmMountFix,
  shmPath,
  shmShortage,
} from '../../rdma/shared-memory.ts';
import { allowsShm } from '../../rdma/ucx-transports.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { formatBytes } from './machine-files.ts';
import type { Settings } from './setup.ts';

export function judgeSharedMemory(
  settings: Settings | undefined,
  room: ShmRoom | undefined,
): Finding {
  const { tls = 'auto', transport = 'ucx', mode = 'prefer' } = settings ?? {};
  if (transport === 'inproc' || mode === 'off') {
    return skip('shared-memory', 'this configuration does not use UCX');
  }
  const isAuto = tls === 'auto';
  if (!isAuto && !allowsShm(tls)) {
    return skip('shared-memory', `rdma.tls = "${tls}" takes no shared memory in ${shmPath}`);
  }
  const free = room === undefined ? 'not there' : `${formatBytes(room.bytesFree)} free`;
  const evidence = [
    `${shmPath}: ${free}${room === undefined ? '' : ` of ${formatBytes(room.bytesTotal)}`}; a process that uses UCX takes up to ${formatBytes(shmBytesOfWorker)}`,
  ];
  const shortage = shmShortage(room);
  if (shortage === undefined) return ok('shared-memory', `${shmPath} has room`, evidence);
  const isFull = room?.isWritable === true;
  const fault = isFull ? 'is full' : room === undefined ? 'is not there' : 'cannot be written';
  const fix = [isFull ? shmFix : shmMountFix] as const;
  if (isAuto || room === undefined) {
    const summary = `${shmPath} ${fault}: UCX goes on without its shared memory there`;
    return warn('shared-memory', { summary, evidence, fix });
  }
  const summary = `${shmPath} ${fault}, and rdma.tls = "${tls}" needs it: the role does not start`;
  return fail('shared-memory', {
    summary,
    evidence,
    fix: [...fix, 'or set rdma.tls = "auto", which goes on without it'],
  });
}
