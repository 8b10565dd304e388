/** Reads /proc: the listeners of this machine, and the limits of a running role. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf, readText } from '../../rdma/machine-files.ts';

export interface Owner {
  readonly pid: number;
  /** Words of its command line. */
  readonly command: readonly string[];
  /** undefined: it is none of our roles. */
  readonly role: string | undefined;
  /** The state from /proc/PID/stat: "S", "R", "T" (stopped), "D" (waits in the kernel); undefined: it has ended. */
  readonly state: string | undefined;
}

export interface ListeningSocket {
  /** "0.0.0.0", "::", "127.0.0.1" … */
  readonly host: string;
  readonly port: number;
  /** undefined: /proc does not tell this user. */
  readonly owner: Owner | undefined;
}

const stateListen = '0A';

export function gatherListeners(procRoot: string): readonly ListeningSocket[] {
  const rows = ['tcp', 'tcp6'].flatMap((name) => listenRows(join(procRoot, 'net', name)));
  const owners = ownersOf(procRoot, new Set(rows.map(({ inode }) => inode)));
  return rows.map(({ host, port, inode }) => ({ host, port, owner: owners.get(inode) }));
}

interface ListenRow {
  readonly host: string;
  readonly port: number;
  readonly inode: string;
}

function listenRows(file: string): readonly ListenRow[] {
  const lines = (readText(file) ?? '').split('\n').slice(1);
  return lines.flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [address = '', portHex = ''] = (words[1] ?? '').split(':');
    if (words[3] !== stateListen) return [];
    return [
      { host: addressOf(address), port: Number.parseInt(portHex, 16), inode: words[9] ?? '' },
    ];
  });
}

/** The kernel prints 32-bit words in the machine's order; those that matter here are little endian. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  const isMapped = bytes.subarray(0, 12).toString('hex') === '00000000000000000000ffff';
  return isMapped ? bytes.subarray(12).join('.') : bytes.toString('hex');
}

function ownersOf(procRoot: string, inodes: ReadonlySet<string>): ReadonlyMap<string, Owner> {
  const owners = new Map<string, Owner>();
  for (const pid of entriesOf(procRoot).filter((name) => /^\d+$/.test(name))) {
    const folder = join(procRoot, pid, 'fd');
    for (const fd of entriesOf(folder)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, fd)))?.[1];
      if (inode === undefined || !inodes.has(inode) || owners.has(inode)) continue;
      owners.set(inode, ownerOf(procRoot, Number(pid)));
    }
  }
  return owners;
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function ownerOf(procRoot: string, pid: number): Owner {
  const text = readText(join(procRoot, String(pid), 'cmdline')) ?? '';
  const command = text.split('\0').filter((word) => word !== '');
  const stat = readText(join(procRoot, String(pid), 'stat')) ?? '';
  const state = /\) (\S)/.exec(stat.slice(stat.lastIndexOf(')')))?.[1];
  return { pid, command, role: roleOfCommand(command), state };
}

/** Program and script alone: what follows may hold passwords. */
export function shownCommand([program = '', script = '']: readonly string[]): string {
  return script === '' || script.startsWith('-') ? program : `${program} ${script}`;
}

/** `node …/dist/main.js target --config …`, as bin/seaweed-rdma starts it. */
export function roleOfCommand(command: readonly string[]): string | undefined {
  const at = command.findIndex((word) => /(^|\/)(main\.[jt]s|seaweed-rdma)$/.test(word));
  const role = at < 0 ? undefined : command[at + 1];
  return role === 'proxy' || role === 'target' ? role : undefined;
}

export interface ProcessFacts {
  /** "this process", or "the running target (pid 7)". */
  readonly of: string;
  readonly memlockBytes: number;
  readonly openFilesMax: number;
  readonly hasIpcLock: boolean;
  /** "0-3,8": NUMA nodes that it may take memory from. */
  readonly memoryNodes: string;
  readonly isRunningRole: boolean;
}

const capIpcLock = 14n;

/** `pid` undefined: this process, whose limits a role started from the same shell would have. */
export function gatherProcess(
  procRoot: string,
  pid: number | undefined,
  role: string | undefined,
): ProcessFacts {
  const folder = join(procRoot, pid === undefined ? 'self' : String(pid));
  const limits = readText(join(folder, 'limits')) ?? '';
  const status = readText(join(folder, 'status')) ?? '';
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  return {
    of: pid === undefined ? 'this process' : `the running ${role ?? 'role'} (pid ${pid})`,
    memlockBytes: softLimit(limits, 'Max locked memory'),
    openFilesMax: softLimit(limits, 'Max open files'),
    hasIpcLock: ((BigInt(`0x${effective}`) >> capIpcLock) & 1n) === 1n,
    memoryNodes: /^Mems_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '',
    isRunningRole: pid !== undefined,
  };
}

/** Infinity: unlimited; NaN: the file does not say. */
function softLimit(limits: string, name: string): number {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(limits)?.[1];
  if (value === 'unlimited') return Number.POSITIVE_INFINITY;
  return value === undefined ? Number.NaN : Number(value);
}

/** UCX_* of another process; undefined when its environment cannot be read. */
export function ucxVariablesOf(
  procRoot: string,
  pid: number,
): Readonly<Record<string, string>> | undefined {
  const text = readText(join(procRoot, String(pid), 'environ'));
  if (text === undefined) return undefined;
  const found = text.split('\0').flatMap((entry) => {
    const at = entry.indexOf('=');
    return entry.startsWith('UCX_') && at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
  });
  return Object.fromEntries(found) as Record<string, string>;
}
