/**
 * UCX's shared memory where /dev/shm, or System V's limits (sysv-memory.ts), have no room. UCX 1.13 writes each segment once before it maps it, so a full
 * /dev/shm fails the start of a worker and never ends a running process by SIGBUS; what is mapped stays backed.
 */
import { accessSync, constants, statfsSync } from 'node:fs';
import { messageOf } from './errors.ts';
import { gatherSysv, type SysvRoom, sysvShortage } from './sysv-memory.ts';
import { allowsShm, allowsSysv } from './ucx-transports.ts';

export const shmPath: string = '/dev/shm';

/** 4.2 MiB were measured for a worker: receive descriptors (4 292 720 bytes) and a FIFO. */
export const shmBytesOfWorker: number = 5 * 2 ** 20;

export interface ShmRoom {
  readonly bytesTotal: number;
  readonly bytesFree: number;
  /** false: mounted read-only, or closed to this user. */
  readonly isWritable: boolean;
}

/** undefined: there is none. */
export function gatherShm(path: string = shmPath): ShmRoom | undefined {
  try {
    const { bsize, blocks, bavail } = statfsSync(path);
    return { bytesTotal: bsize * blocks, bytesFree: bsize * bavail, isWritable: isWritable(path) };
  } catch {
    return undefined;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Explains a shortage of shared memory, and what to do; undefined: a worker of UCX has room there. */
export function shmShortage(room: ShmRoom | undefined): string | undefined {
  const absence = shmAbsence(room);
  if (room === undefined || absence !== undefined) return absence;
  if (room.bytesFree >= shmBytesOfWorker) return undefined;
  const free = `${mebibytes(room.bytesFree)} of ${mebibytes(room.bytesTotal)} free`;
  return `${shmPath} has ${free}, and each process that uses UCX needs ${mebibytes(shmBytesOfWorker)} there: ${shmFix}`;
}

/** Works like shmShortage, but does not look at the free space. */
function shmAbsence(room: ShmRoom | undefined): string | undefined {
  if (room === undefined) return `there is no ${shmPath}: ${shmMountFix}`;
  return room.isWritable ? undefined : `${shmPath} cannot be written: ${shmMountFix}`;
}

export const shmMountFix: string =
  'mount a tmpfs there that this user may write (mount -t tmpfs -o mode=1777,size=256m tmpfs /dev/shm; Kubernetes: an emptyDir with medium: Memory)';

export const shmFix: string =
  'remove what fills it, or enlarge it (docker: --shm-size=256m; Kubernetes: an emptyDir with medium: Memory mounted at /dev/shm; else: mount -o remount,size=256m /dev/shm)';

function mebibytes(bytes: number): string {
  return `${Math.round((bytes * 10) / 2 ** 20) / 10} MiB`;
}

/** Shared memory that UCX could not have. */
export interface ShmLoss {
  /** The transports that UCX uses instead, as `rdma.tls` would name them. */
  readonly tls: string;
  readonly reason: string;
}

/** Transports that are left out, and what is lost by that. */
const losses = {
  '^posix': `its shared memory in ${shmPath}`,
  '^sysv': 'its System V shared memory',
  '^sm': 'shared memory',
} as const;

/** The parts of the machine that are looked at; tests give their own. */
export interface ShmPlaces {
  readonly shm: () => ShmRoom | undefined;
  readonly sysv: () => SysvRoom | undefined;
}

const thisMachine: ShmPlaces = { shm: gatherShm, sysv: gatherSysv };

export interface ShmStarted<T> {
  readonly made: T;
  readonly loss: ShmLoss | undefined;
}

/**
 * Creates a worker with `tls`, or without the shared memory that it cannot have, where the configuration names no
 * transports. `transports`: what `tls` and the environment come to.
 *
 * @throws what `create` throws first, with the shortage of shared memory where that is the cause.
 */
export function startWithShm<T>(
  { tls, transports }: { readonly tls: string; readonly transports: string },
  create: (tls: string) => T,
  places: ShmPlaces = thisMachine,
): ShmStarted<T> {
  try {
    const made = create(tls);
    // Without a /dev/shm UCX says so on stderr alone.
    const reason = allowsShm(transports) ? shmAbsence(places.shm()) : undefined;
    return { made, loss: reason === undefined ? undefined : { tls, reason } };
  } catch (error) {
    const said = messageOf(error);
    if (!said.startsWith('ucp_worker_create')) throw error;
    const shm = allowsShm(transports) ? shmShortage(places.shm()) : undefined;
    const sysv = allowsSysv(transports) ? sysvShortage(places.sysv())?.text : undefined;
    const isUcxsChoice = tls === 'auto' && transports === 'all';
    const started = isUcxsChoice ? startWithLess(create, said, { shm, sysv }) : undefined;
    if (started !== undefined) return started;
    if (shm === undefined && sysv === undefined) throw error;
    throw new Error(reasonOf([shm, sysv], said), { cause: error });
  }
}

interface Shortages {
  readonly shm: string | undefined;
  readonly sysv: string | undefined;
}

/**
 * Leaves out what is short first: `posix` and `sysv` both share memory, and either is enough. What the worker starts
 * without was the cause.
 */
function startWithLess<T>(
  create: (tls: string) => T,
  said: string,
  { shm, sysv }: Shortages,
): ShmStarted<T> | undefined {
  const first = shm === undefined && sysv !== undefined ? '^sysv' : '^posix';
  const second = first === '^sysv' ? '^posix' : '^sysv';
  const causes = { '^posix': [shm], '^sysv': [sysv ?? sysvUnknown], '^sm': [shm, sysv] };
  for (const tls of [first, second, '^sm'] as const) {
    try {
      return { made: create(tls), loss: { tls, reason: reasonOf(causes[tls], said) } };
    } catch {
      // The first failure is the one that is told.
    }
  }
  return undefined;
}

const sysvUnknown =
  'System V shared memory has no room for UCX: compare ipcs -u with ipcs -l (kernel.shmmni, kernel.shmall, kernel.shmmax)';

function reasonOf(causes: readonly (string | undefined)[], said: string): string {
  const known = causes.filter((cause) => cause !== undefined);
  return known.length === 0 ? said : `${known.join('; ')} (${said})`;
}

/** A log with pino's arguments: the fields, then the message. */
interface Log {
  warn(fields: object, message: string): void;
}

export function logShmLoss(log: Log, loss: ShmLoss | undefined): void {
  if (loss === undefined) return;
  const [, lost = losses['^posix']] =
    Object.entries(losses).find(([tls]) => tls === loss.tls) ?? [];
  log.warn(
    { event: 'shared-memory-lost', tls: loss.tls, detail: loss.reason },
    `UCX goes on without ${lost}`,
  );
}
