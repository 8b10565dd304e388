/** Room for UCX's transport `sysv`: the kernel's limits of System V shared memory in this IPC namespace. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Segments of a worker of UCX 1.13, as /proc/sysvipc/shm had them: a FIFO of 12 KiB, and receive descriptors. */
export const sysvSegmentsOfWorker = 2;
const segmentBytesMax = 4_296_704;
const bytesOfWorker = segmentBytesMax + 12_288;

export interface SysvRoom {
  /** kernel.shmmni. */
  readonly segmentsMax: number;
  readonly segmentsUsed: number;
  /** kernel.shmall, which counts pages. */
  readonly pagesMax: number;
  readonly bytesUsed: number;
  /** kernel.shmmax, of one segment. */
  readonly segmentBytesMax: number;
}

/** undefined: the kernel tells of none. */
export function gatherSysv(procRoot: string = '/proc'): SysvRoom | undefined {
  const limit = (name: string): number =>
    Number(readFileSync(join(procRoot, 'sys/kernel', name), 'latin1'));
  try {
    const rows = readFileSync(join(procRoot, 'sysvipc/shm'), 'latin1').trim().split('\n').slice(1);
    const sizes = rows.map((row) => Number(row.trim().split(/\s+/)[3]));
    return {
      segmentsMax: limit('shmmni'),
      segmentsUsed: rows.length,
      pagesMax: limit('shmall'),
      bytesUsed: sizes.reduce((sum, size) => sum + size, 0),
      segmentBytesMax: limit('shmmax'),
    };
  } catch {
    return undefined;
  }
}

/** Explains which limit is too low, and what to do; undefined: a worker of UCX has room, as far as the kernel tells. */
export function sysvShortage(room: SysvRoom | undefined): string | undefined {
  if (room === undefined) return undefined;
  const { segmentsMax, segmentsUsed, pagesMax, bytesUsed } = room;
  if (segmentsMax - segmentsUsed < sysvSegmentsOfWorker) {
    const used = `${segmentsUsed} of ${segmentsMax} segments are taken (kernel.shmmni)`;
    return `System V shared memory: ${used}, and each process that uses UCX needs ${sysvSegmentsOfWorker}: ${sysvFix}`;
  }
  if (pagesMax * pageBytesMin - bytesUsed < bytesOfWorker) {
    const used = `${bytesUsed} bytes are taken of ${pagesMax} pages (kernel.shmall)`;
    return `System V shared memory: ${used}, and each process that uses UCX needs ${bytesOfWorker} bytes: ${sysvFix}`;
  }
  if (room.segmentBytesMax < segmentBytesMax) {
    return `System V shared memory: a segment may have ${room.segmentBytesMax} bytes (kernel.shmmax), and UCX needs ${segmentBytesMax}: ${sysvFix}`;
  }
  return undefined;
}

/** A page is larger on some machines of arm64: there is more room then. */
const pageBytesMin = 4_096;

export const sysvFix: string =
  'remove segments that no process uses (ipcs -m, ipcrm), or raise the limit (ipcs -l shows them; sysctl -w kernel.shmmni=4096; docker: --sysctl)';
