/** Why an address could not be had → which key it is written under, who has it, and what to do. */
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import {
  formatHostPort,
  formatListen,
  type HostPort,
  type ListenAddress,
} from '../../config/address.ts';
import { RdmaUnavailableError } from '../../rdma/errors.ts';
import { holderOf } from '../doctor/ports.ts';
import { gatherListeners, type ListeningSocket, shownCommand } from '../doctor/processes.ts';

/** Where a role was to listen. */
export interface StartPlace {
  /** Keys, or an option, under which address and port are written. */
  readonly hostKey: string;
  readonly portKey: string;
  readonly address: ListenAddress;
}

/** One key holds both. */
export function placeOf(key: string, address: ListenAddress): StartPlace {
  return { hostKey: key, portKey: key, address };
}

export interface StartFailure {
  readonly message: string;
  /** The system's, such as EADDRINUSE. */
  readonly code: string;
  readonly key: string;
  /** The address as configured. */
  readonly address: string;
  /** The process that has the address, where /proc shows it. */
  readonly pid?: number;
}

const codes = new Set([
  'EADDRINUSE',
  'EACCES',
  'EPERM',
  'EADDRNOTAVAIL',
  'ENOENT',
  'EINVAL',
  'EAFNOSUPPORT',
]);
const lookupCodes = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** undefined: it is not about an address of `places`. */
export async function explainStart(
  error: unknown,
  places: readonly StartPlace[],
  procRoot = '/proc',
): Promise<StartFailure | undefined> {
  const found = await failedPlace(error, places);
  if (found === undefined) return undefined;
  const { place, code } = found;
  const told = { code, address: formatListen(place.address) };
  if ('path' in place.address) {
    const message = `${place.portKey} = "${told.address}": ${await pathText(place.address.path, code)}`;
    return { ...told, key: place.portKey, message };
  }
  return { ...told, ...portFailure(place, place.address, code, procRoot) };
}

interface FailedPlace {
  readonly place: StartPlace;
  readonly code: string;
}

async function failedPlace(
  error: unknown,
  places: readonly StartPlace[],
): Promise<FailedPlace | undefined> {
  if (error instanceof RdmaUnavailableError) return failedFabric(error, places);
  const {
    code = '',
    syscall,
    address,
    port,
    hostname,
  } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (lookupCodes.has(code)) {
    const place = places.find(({ address: at }) => 'host' in at && at.host === hostname);
    return place && { place, code };
  }
  if (!codes.has(code) || !['listen', 'bind'].includes(syscall ?? '')) return undefined;
  const isIt = ({ address: at }: StartPlace): boolean =>
    'path' in at ? at.path === address : at.port === (port ?? 0);
  const matching = places.filter(isIt);
  const place = matching.find(({ address: at }) => 'host' in at && at.host === address);
  const chosen = place ?? matching[0];
  return chosen && { place: chosen, code };
}

/** UCX says "Device is busy" and "Input/output error": the system is asked again in plain words. */
async function failedFabric(
  { message }: RdmaUnavailableError,
  places: readonly StartPlace[],
): Promise<FailedPlace | undefined> {
  const port = /\(listening on .*:(\d+)\)$/.exec(message)?.[1];
  const place = places.find(({ address }) => 'port' in address && `${address.port}` === port);
  if (place === undefined || 'path' in place.address) return undefined;
  const code = await bindFailure(place.address);
  return code === undefined ? undefined : { place, code };
}

function bindFailure({ host, port }: HostPort): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  return promise;
}

function portFailure(
  { hostKey, portKey }: StartPlace,
  address: HostPort,
  code: string,
  procRoot: string,
): Pick<StartFailure, 'key' | 'message' | 'pid'> {
  const shown = formatHostPort(address);
  const { host, port } = address;
  switch (code) {
    case 'EADDRINUSE': {
      const holder = holderOf(address, gatherListeners(procRoot));
      const pid = holder?.owner?.pid;
      const message = `${portKey}: ${shown} is taken${holderText(holder, port)}: set ${portKey} to another port, or stop what listens there`;
      return { key: portKey, message, ...(pid === undefined ? {} : { pid }) };
    }
    case 'EACCES':
    case 'EPERM': {
      const message = `${portKey}: this user may not listen on port ${port}: set ${portKey} to a port from 1024 on, or give the process CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)`;
      return { key: portKey, message };
    }
    case 'ENOTFOUND':
    case 'EAI_AGAIN': {
      const message = `${hostKey}: the name "${host}" is not known here (getent hosts ${host}): set ${hostKey} to an address of this machine (${ownAddresses()})`;
      return { key: hostKey, message };
    }
    default: {
      const message = `${hostKey}: no interface of this machine has ${host} (${code}): set ${hostKey} to one of ${ownAddresses()}, or to 0.0.0.0 for all of them`;
      return { key: hostKey, message };
    }
  }
}

function holderText(holder: ListeningSocket | undefined, port: number): string {
  if (holder?.owner === undefined) {
    return ` (this user cannot see by whom; as root: ss -ltnp 'sport = :${port}')`;
  }
  const { pid, role, command } = holder.owner;
  const who = role === undefined ? shownCommand(command) : `a ${role} of ours`;
  return ` by pid ${pid} (${who}, listening at ${formatHostPort(holder)})`;
}

function ownAddresses(): string {
  const rows = Object.values(networkInterfaces()).flat();
  const addresses = rows.flatMap((row) =>
    row === undefined || row.address.startsWith('fe80:') ? [] : [row.address],
  );
  return [...new Set(addresses)].join(', ');
}

async function pathText(path: string, code: string): Promise<string> {
  const folder = path.slice(0, path.lastIndexOf('/')) || '/';
  // Node says EACCES here as well.
  if (!existsSync(folder)) return `the folder ${folder} does not exist: create it`;
  if (code !== 'EADDRINUSE')
    return `this user may not create it (${code}): let it write to ${folder}`;
  return (await isAnswered(path))
    ? `another process listens there (ss -lxp): stop it, or choose another path`
    : `the file is there and no process listens: it was left behind by a process that was killed. Remove it: rm ${path}`;
}

function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path });
  const end = (answered: boolean): void => {
    socket.destroy();
    resolve(answered);
  };
  socket.on('connect', () => end(true));
  // A full backlog belongs to a listening process, too.
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'EAGAIN'));
  return promise;
}
