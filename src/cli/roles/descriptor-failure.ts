/** A role that has too few descriptors to start: which limit it is, what takes them, and what to set. */
import { readdirSync } from 'node:fs';
import {
  descriptorAdvice,
  descriptorsOfProgram,
  descriptorsOfTarget,
  descriptorsOfVolume,
  limitText,
} from '../../rdma/descriptors.ts';
import { RdmaUnavailableError } from '../../rdma/errors.ts';
import { countVolumes } from '../doctor/limits.ts';
import { gatherProcess } from '../doctor/processes.ts';

/** The users of a role's descriptors, beside the program itself. */
export interface DescriptorUse {
  /** Under which key the number of connections or sessions is bounded. */
  readonly key: string;
  readonly count: number;
  /** Directories whose volumes are held open; none: the role holds no volume. */
  readonly dirs: readonly string[];
}

/** UCX ends the process by an assertion where its start runs out of descriptors: 24 more were too few, 40 enough. */
const freeMin = 64;

export function descriptorLimit(): number {
  return gatherProcess('/proc', undefined, undefined).openFilesMax;
}

/** Throws RdmaUnavailableError before UCX is loaded. */
export function refuseFewDescriptors(limit: number, use: DescriptorUse): void {
  const open = readdirSync('/proc/self/fd').length;
  if (Number.isNaN(limit) || limit - open >= freeMin) return;
  throw new RdmaUnavailableError(
    'start-failed',
    `too few descriptors: ${limitText(limit)}, and ${open} are open already; ${useText(use)}`,
  );
}

/** undefined: they are enough. The kernel closes connections without a word where they are not. */
export function fewDescriptors(limit: number, use: DescriptorUse): string | undefined {
  const least = use.count + descriptorsOfVolume * countVolumes(use.dirs);
  return limit < least ? `${limitText(limit)}; ${useText(use)}` : undefined;
}

/** undefined: it is not about descriptors. */
export function explainDescriptors(
  error: unknown,
  limit: number,
  use: DescriptorUse,
): { readonly message: string } | undefined {
  if (!isOutOfDescriptors(error)) return undefined;
  const { message } = error;
  return { message: `out of descriptors: ${limitText(limit)}; ${useText(use)} (${message})` };
}

function isOutOfDescriptors(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE' || /too many open files/i.test(error.message);
}

function useText({ key, count, dirs }: DescriptorUse): string {
  if (dirs.length === 0) {
    const wanted = descriptorsOfProgram + 2 * count;
    return `${key} = ${count} needs up to ${wanted}: ${descriptorAdvice(wanted)}`;
  }
  const volumes = countVolumes(dirs);
  const wanted = descriptorsOfTarget(volumes, count);
  return `${volumes} volumes in ${dirs.join(', ')} and ${key} = ${count} need about ${wanted}: ${descriptorAdvice(wanted)}`;
}
