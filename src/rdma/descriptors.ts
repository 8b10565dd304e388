/** Counts the descriptors that a process needs (RLIMIT_NOFILE), and explains a shortage. Pure. */

/** Node, the native part, logs and what UCX opens. */
export const descriptorsOfProgram: number = 256;
/** Descriptors of a volume that a target serves: .dat and .idx. */
export const descriptorsOfVolume: number = 2;
/** Measured: a connection of UCX over TCP; one over shared memory takes one. */
export const descriptorsOfSession: number = 2;

export function descriptorsOfTarget(volumes: number, sessions: number): number {
  return descriptorsOfProgram + descriptorsOfVolume * volumes + descriptorsOfSession * sessions;
}

export function descriptorAdvice(wanted: number): string {
  return `systemd: LimitNOFILE=${wanted}; a shell: ulimit -n ${wanted}; Docker: --ulimit nofile=${wanted}`;
}

/** `limit`: NaN where it is not known, else as RLIMIT_NOFILE. */
export function limitText(limit: number): string {
  const shown = limit === Number.POSITIVE_INFINITY ? 'unlimited' : limit;
  return `RLIMIT_NOFILE${Number.isNaN(limit) ? '' : ` is ${shown}`}`;
}

export interface VolumeShortage {
  readonly limit: number;
  readonly volumes: number;
  /** The volumes among these that are not served. */
  readonly without: number;
  readonly sessionsMax: number;
}

/** Explains why a target leaves volumes to the volume server. */
export function shortageText({ limit, volumes, without, sessionsMax }: VolumeShortage): string {
  const wanted = descriptorsOfTarget(volumes, sessionsMax);
  return `${without} of ${volumes} volumes are not served: ${limitText(limit)}, and a volume takes ${descriptorsOfVolume} descriptors. About ${wanted} are needed with ${sessionsMax} sessions (${descriptorAdvice(wanted)})`;
}
