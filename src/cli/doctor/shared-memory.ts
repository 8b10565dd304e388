/** Layer 5, too: room for UCX in /dev/shm, and in System V shared memory. */
import {
  type ShmRoom,
  shmBytesOfWorker,
  shmFix,
  shmMountFix,
  shmPath,
  shmShortage,
} from '../../rdma/shared-memory.ts';
import { type SysvRoom, sysvFix, sysvShortage } from '../../rdma/sysv-memory.ts';
import { allowsShm, allowsSysv } from '../../rdma/ucx-transports.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { formatBytes } from './format-bytes.ts';
import { type Settings, usesUcx } from './setup.ts';

interface Shortage {
  readonly fault: string;
  readonly fix: string;
  /** The role starts without it, whichever transports are named. */
  readonly isMild: boolean;
}

export function judgeSharedMemory(
  settings: Settings | undefined,
  room: ShmRoom | undefined,
  sysv: SysvRoom | undefined,
): Finding {
  const { tls = 'auto', transport = 'ucx', mode = 'prefer' } = settings ?? {};
  if (!usesUcx({ mode, transport })) {
    return skip('shared-memory', 'this configuration does not use UCX');
  }
  const transports = tls === 'auto' ? 'all' : tls;
  const [takesShm, takesSysv] = [allowsShm(transports), allowsSysv(transports)];
  if (!takesShm && !takesSysv) {
    return skip('shared-memory', `rdma.tls = "${tls}" takes no shared memory`);
  }
  const evidence = [
    ...(takesShm ? [shmEvidence(room)] : []),
    ...(takesSysv ? sysvEvidence(sysv) : []),
  ];
  const shortages = [
    takesShm ? shortageOfShm(room) : undefined,
    takesSysv ? shortageOfSysv(sysv) : undefined,
  ].filter((shortage) => shortage !== undefined);
  const [first, ...others] = shortages;
  if (first === undefined) return ok('shared-memory', 'UCX has room for shared memory', evidence);
  const faults = shortages.map(({ fault }) => fault).join(', ');
  const fix = [first.fix, ...others.map((other) => other.fix)] as const;
  if (tls === 'auto' || shortages.every(({ isMild }) => isMild)) {
    const summary = `${faults}: UCX goes on without that shared memory`;
    return warn('shared-memory', { summary, evidence, fix });
  }
  const summary = `${faults}, and rdma.tls = "${tls}" needs it: the role does not start`;
  return fail('shared-memory', {
    summary,
    evidence,
    fix: [...fix, 'or set rdma.tls = "auto", which goes on without it'],
  });
}

function shmEvidence(room: ShmRoom | undefined): string {
  const free =
    room === undefined
      ? 'not there'
      : `${formatBytes(room.bytesFree)} free of ${formatBytes(room.bytesTotal)}`;
  return `${shmPath}: ${free}; a process that uses UCX takes up to ${formatBytes(shmBytesOfWorker)}`;
}

function sysvEvidence(sysv: SysvRoom | undefined): readonly string[] {
  if (sysv === undefined) return [];
  const { segmentsMax, segmentsUsed, pagesMax, segmentBytesMax } = sysv;
  return [
    `System V: ${segmentsUsed} segments; kernel.shmmni = ${segmentsMax}, kernel.shmall = ${shownLimit(pagesMax)}, kernel.shmmax = ${shownLimit(segmentBytesMax)}`,
  ];
}

/** Linux's own default is near 2^64. */
function shownLimit(limit: number): string {
  return limit >= 2 ** 60 ? 'unlimited' : `${limit}`;
}

function shortageOfShm(room: ShmRoom | undefined): Shortage | undefined {
  if (shmShortage(room) === undefined) return undefined;
  const isFull = room?.isWritable === true;
  const fault = isFull ? 'is full' : room === undefined ? 'is not there' : 'cannot be written';
  return {
    fault: `${shmPath} ${fault}`,
    fix: isFull ? shmFix : shmMountFix,
    isMild: room === undefined,
  };
}

function shortageOfSysv(sysv: SysvRoom | undefined): Shortage | undefined {
  const shortage = sysvShortage(sysv);
  if (shortage === undefined) return undefined;
  return { fault: `${shortage.limit} is too low for UCX`, fix: sysvFix, isMild: false };
}
