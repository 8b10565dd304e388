/**
 * The Linux namespaces of this process, as a proxy and a target compare them: UCX takes shared memory if both have one IPC
 * namespace, and does not get through with another network or process namespace.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const kinds = ['ipc', 'net', 'pid'] as const;

/** Digests, equal for one namespace of one running kernel. */
export type Namespaces = Readonly<Record<(typeof kinds)[number], string>>;

/** undefined: this process may not look. */
export function ownNamespaces(procRoot: string = '/proc'): Namespaces | undefined {
  try {
    const boot = readFileSync(join(procRoot, 'sys/kernel/random/boot_id'), 'latin1');
    const digest = (kind: string): string => {
      const name = readlinkSync(join(procRoot, 'self/ns', kind));
      return createHash('sha256').update(`${boot} ${name}`).digest('hex').slice(0, 16);
    };
    return { ipc: digest('ipc'), net: digest('net'), pid: digest('pid') };
  } catch {
    return undefined;
  }
}

export function isNamespaces(value: unknown): value is Namespaces {
  if (typeof value !== 'object' || value === null) return false;
  return kinds.every((kind) => typeof (value as Record<string, unknown>)[kind] === 'string');
}
