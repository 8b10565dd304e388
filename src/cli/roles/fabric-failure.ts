/**
 * Explains a failed start of the native part: the key that asks for the resource, and what to do; and missing devices.
 */
import { totalmem } from 'node:os';
import { nearestKey } from '../../config/nearest-key.ts';
import { formatSize } from '../../config/units.ts';
import { RdmaUnavailableError } from '../../rdma/errors.ts';
import { shmPath } from '../../rdma/shared-memory.ts';
import { gatherDevices, judgeDevices } from '../doctor/devices.ts';

/** Under which keys a role's directories, memory and devices are written. */
export interface FabricKeys {
  readonly dirs: readonly { readonly key: string; readonly paths: readonly string[] }[];
  readonly memory: { readonly key: string; readonly bytes: number };
  readonly hugepagesKey: string;
  /** undefined: UCX is not used. */
  readonly ucx: { readonly deviceName: string; readonly tls: string } | undefined;
}

export interface FabricFailure {
  readonly key: string;
  readonly message: string;
}

/** undefined: the error says all that is known. */
export function explainFabric(error: unknown, keys: FabricKeys): FabricFailure | undefined {
  if (!(error instanceof RdmaUnavailableError)) return undefined;
  const { message } = error;
  return (
    directoryFailure(message, keys) ??
    memoryFailure(message, keys) ??
    hugepagesFailure(message, keys) ??
    addressFailure(message) ??
    sharedMemoryFailure(message, keys) ??
    transportFailure(message, keys)
  );
}

function directoryFailure(said: string, { dirs }: FabricKeys): FabricFailure | undefined {
  const [, path = '', why] =
    /^(.+): (No such file or directory|Not a directory|Permission denied)$/.exec(said) ?? [];
  const row = dirs.find(({ paths }) =>
    paths.some((dir) => path === dir || path.startsWith(`${dir}/`)),
  );
  if (row === undefined) return undefined;
  const { key } = row;
  const wanted = key.includes('idx') ? '-dir.idx' : '-dir';
  if (why === 'Permission denied') {
    return {
      key,
      message: `${key}: this user may not read "${path}": run as the volume server's user, or let this one read it and the folders above`,
    };
  }
  const what = why === 'Not a directory' ? 'is no directory' : 'does not exist on this machine';
  const comma = path.includes(',') ? ' (several directories are a list: ["/a", "/b"])' : '';
  return {
    key,
    message: `${key}: "${path}" ${what}${comma}: set ${key} to the volume server's ${wanted} list (in a container: mount them at the same place)`,
  };
}

function memoryFailure(said: string, { memory }: FabricKeys): FabricFailure | undefined {
  if (
    !/^an arena of .* is not possible$/.test(said) &&
    !/arena of .*Cannot allocate memory/.test(said)
  ) {
    return undefined;
  }
  if (said.startsWith('no hugepages')) return undefined;
  const { key, bytes } = memory;
  const has = formatSize(Math.floor(totalmem() / 2 ** 20) * 2 ** 20);
  return {
    key,
    message: `${key}: an arena of ${formatSize(bytes)} cannot be had (this machine has ${has} of memory in all): set ${key} to less`,
  };
}

function hugepagesFailure(said: string, { hugepagesKey }: FabricKeys): FabricFailure | undefined {
  if (!said.startsWith('no hugepages')) return undefined;
  return { key: hugepagesKey, message: said.replace('memory.hugepages', hugepagesKey) };
}

function addressFailure(said: string): FabricFailure | undefined {
  const [, fault] = /^(UCX has no transport at .*) \(listening on .*\)$/.exec(said) ?? [];
  return fault === undefined ? undefined : { key: 'rdma.listen', message: `rdma.listen: ${fault}` };
}

function sharedMemoryFailure(said: string, { ucx }: FabricKeys): FabricFailure | undefined {
  if (ucx === undefined || !(said.includes(shmPath) || said.includes('kernel.shm')))
    return undefined;
  return {
    key: 'rdma.tls',
    message: `rdma.tls = "${ucx.tls}" needs shared memory: ${said}; or set rdma.tls to "auto", which goes on without it`,
  };
}

function transportFailure(said: string, { ucx }: FabricKeys): FabricFailure | undefined {
  if (ucx === undefined || !/device_name=.*tls=/.test(said)) return undefined;
  const { tls, deviceName } = ucx;
  const key = tls === 'auto' ? 'rdma.device_name' : 'rdma.tls';
  return {
    key,
    message: `UCX finds no transport with rdma.tls = "${tls}" and rdma.device_name = "${deviceName}" on this machine: set both to "auto", or to what seaweed-rdma doctor --only ucx,devices lists (${said})`,
  };
}

/** UCX starts without a device that it has not got, and says so on stderr alone. */
export function deviceWarnings({ ucx }: FabricKeys, sysRoot = '/sys'): readonly string[] {
  if (ucx === undefined || ucx.deviceName === 'auto') return [];
  const choice = { value: ucx.deviceName, from: 'rdma.device_name' };
  const findings = judgeDevices(
    gatherDevices(sysRoot),
    { deviceName: choice, gidIndex: undefined },
    nearestKey,
  );
  return findings
    .filter(({ name, result }) => name === 'device-name' && result === 'fail')
    .map(({ summary, fix }) => `${summary}: ${fix.join('; ')}`);
}
