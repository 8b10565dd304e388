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

export interface SysvShortage {
  readonly limit: 'kernel.shmmni' | 'kernel.shmall' | 'kernel.shmmax';
  /** Explains it, and says what to do. */
  readonly text: string;
}

/** Names the limit that is too low; undefined: a worker of UCX has room, as far as the kernel tells. */
export function sysvShortage(room: SysvRoom | undefined): SysvShortage | undefined {
  if (room === undefined) return undefined;
  const { segmentsMax, segmentsUsed, pagesMax, bytesUsed } = room;
  if (segmentsMax - segmentsUsed < sysvSegmentsOfWorker) {
    const used = `${segmentsUsed} of ${segmentsMax} segments are taken`;
    const needed = `each process that uses UCX needs ${sysvSegmentsOfWorker}`;
    return shortageOf('kernel.shmmni', used, needed);
  }
  if (pagesMax * pageBytesMin - bytesUsed < bytesOfWorker) {
    const used = `${bytesUsed} bytes are taken of ${pagesMax} pages`;
    const needed = `each process that uses UCX needs ${bytesOfWorker} bytes`;
    return shortageOf('kernel.shmall', used, needed);
  }
  if (room.segmentBytesMax < segmentBytesMax) {
    const allowed = `a segment may have ${room.segmentBytesMax} bytes`;
    return shortageOf('kernel.shmmax', allowed, `UCX needs ${segmentBytesMax}`);
  }
  return undefined;
}

function shortageOf(limit: SysvShortage['limit'], there: string, needed: string): SysvShortage {
  return { limit, text: `System V shared memory: ${there} (${limit}), and ${needed}: ${sysvFix}` };
}

/** A page is larger on some machines of arm64: there is more room then. */
const pageBytesMin = 4_096;

export const sysvFix: string =
  'remove segments that no process uses (ipcs -m, ipcrm), or raise the limit (ipcs -l shows them; sysctl -w kernel.shmmni=4096; docker: --sysctl)';
