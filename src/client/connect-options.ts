/** The options of connect(), and their checked form. */
import { readFileSync } from 'node:fs';
import { type HostPort, parseHostPort } from '../config/address.ts';
import { loadProxyConfig } from '../config/proxy-config.ts';
import type { RdmaClientOptions, TargetAddress } from '../rdma/rdma-client.ts';
import type { Secret } from '../rdma/secret.ts';
import type { TransportChoice } from '../rdma/ucx-devices.ts';
import { checkKeys, checkSignal, checkTimeout, integerWithin, wrongType } from './arguments.ts';

export interface CommonConnectOptions {
  /**
   * The memory that needles are received into and held in until they are released, registered with UCX once. At least
   * 2 MiB; default 256 MiB. A needle needs its size and a little more in one piece.
   */
  readonly memoryBytes?: number | undefined;
  /** 2 MiB pages for it; default `try`: else normal ones. `require` does not connect without. */
  readonly hugepages?: 'try' | 'require' | 'off' | undefined;
  /** In flight at any time, at most 65535; more end as `overload`. Default 4096. */
  readonly readsMax?: number | undefined;
  /** Limit of one needle's bytes after `decode: true`; default 64 MiB. */
  readonly decodedBytesMax?: number | undefined;
  /** Timeout of each read that names none; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** For connect() itself, and for each later attempt to reach a target; default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Ends connect(), not the client that it gave. */
  readonly signal?: AbortSignal | undefined;
}

/** Over UCX: RDMA where there is a device, shared memory and TCP elsewhere. */
export interface TargetConnectOptions extends CommonConnectOptions {
  /** Addresses such as "10.0.0.1:18515". If several announce a volume, they are asked in this order. */
  readonly targets: readonly string[];
  /** Shared with the targets; or a file that holds it, without its closing line feed. */
  readonly secret?: string | undefined;
  readonly secretFile?: string | undefined;
  /** UCX_NET_DEVICES and UCX_TLS; default "auto": UCX's own choice. */
  readonly deviceName?: string | undefined;
  readonly tls?: string | undefined;
  /** "ucx", "tcp": without UCX, over a TCP connection to each target, or "auto", the default: UCX with RDMA, and on one host. */
  readonly transport?: TransportChoice | undefined;
  /** With transport "tcp": no TLS; the targets have rdma.tls_off = true. */
  readonly tlsOff?: boolean | undefined;
  /**
   * Only proxies, targets and programs like this one reach this host: UCX's TCP, which knows no secret, may listen beyond
   * loopback. Default false.
   */
  readonly ucxTcpTrustedNetwork?: boolean | undefined;
  /** Polls this long before sleeping while reads are in flight: latency for CPU. Default 0. */
  readonly spinUs?: number | undefined;
  readonly dirs?: undefined;
  readonly config?: undefined;
}

/**
 * In this process, without a target and without UCX, for programs on the volume server's own host. No volume server is
 * asked: a volume that it has unmounted is read until its files are gone.
 */
export interface DirectoryConnectOptions extends CommonConnectOptions {
  /** The volume server's -dir list. */
  readonly dirs: readonly string[];
  /** The volume server's -dir.idx: none, one for all, or one for each. */
  readonly idxDirs?: readonly string[] | undefined;
  readonly targets?: undefined;
  readonly config?: undefined;
}

/**
 * The part of a proxy.toml about targets, secret, transport, memory and times. Variables of the environment do not
 * count.
 */
export interface ConfigConnectOptions extends CommonConnectOptions {
  readonly config: string;
  readonly targets?: undefined;
  readonly dirs?: undefined;
}

export type ConnectOptions = TargetConnectOptions | DirectoryConnectOptions | ConfigConnectOptions;

export interface CheckedConnect {
  readonly isNetworkTrusted: boolean;
  readonly native: RdmaClientOptions;
  /** Targets of kind ucx: at least one. */
  readonly targets: readonly TargetAddress[];
  readonly memoryBytes: number;
  readonly decodedBytesMax: number;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const mebibyte = 2 ** 20;
const defaults = {
  memoryBytes: 256 * mebibyte,
  hugepages: 'try',
  readsMax: 4096,
  decodedBytesMax: 64 * mebibyte,
  timeoutMs: 10_000,
  connectTimeoutMs: 5_000,
} as const;

const commonKeys = [...Object.keys(defaults), 'signal'];
const targetKeys = [
  'targets',
  'secret',
  'secretFile',
  'deviceName',
  'tls',
  'transport',
  'tlsOff',
  'ucxTcpTrustedNetwork',
  'spinUs',
];
const directoryKeys = ['dirs', 'idxDirs'];
const readsMaxMax = 65_535;
const spinUsMax = 1_000_000;

/** @throws TypeError, RangeError; ConfigError for a file that is wrong; a system error for one that cannot be read. */
export function checkConnect(options: ConnectOptions): CheckedConnect {
  checkKeys('connect', options, [...commonKeys, ...targetKeys, ...directoryKeys, 'config']);
  const ways = (['targets', 'dirs', 'config'] as const).filter((way) => options[way] !== undefined);
  if (ways.length !== 1) {
    const given = ways.length === 0 ? 'none' : ways.join(' and ');
    throw new TypeError(`connect() takes one of targets, dirs and config; given: ${given}`);
  }
  if (options.config !== undefined) return fromConfig(options);
  if (options.dirs !== undefined) return fromDirectories(options);
  return fromTargets(options, secretOf(options));
}

function fromTargets(options: TargetConnectOptions, secret: Secret): CheckedConnect {
  checkKeys('connect', options, [...commonKeys, ...targetKeys]);
  const common = checkCommon(options);
  const { deviceName = 'auto', tls = 'auto', spinUs = 0 } = options;
  const { transport = 'auto', tlsOff: isTlsOff = false } = options;
  const { ucxTcpTrustedNetwork: isNetworkTrusted = false } = options;
  checkText('deviceName', deviceName);
  checkText('tls', tls);
  if (!['auto', 'ucx', 'tcp'].includes(transport))
    throw new TypeError('transport is "auto", "ucx" or "tcp"');
  if (typeof isTlsOff !== 'boolean') throw new TypeError('tlsOff is true or false');
  if (typeof isNetworkTrusted !== 'boolean') {
    throw new TypeError('ucxTcpTrustedNetwork is true or false');
  }
  integerWithin('spinUs', spinUs, 0, spinUsMax);
  checkList('targets', options.targets);
  const targets = options.targets.map((text) => targetOf(text, secret, common.connectTimeoutMs));
  const fabric = { transport, isTlsOff, deviceName, tls } as const;
  const native = { ...common.native, kind: 'ucx', ...fabric, spinUs } as const;
  return { ...common, targets, isNetworkTrusted, native };
}

function fromDirectories(options: DirectoryConnectOptions): CheckedConnect {
  checkKeys('connect', options, [...commonKeys, ...directoryKeys]);
  const common = checkCommon(options);
  const { dirs, idxDirs = [] } = options;
  checkList('dirs', dirs);
  if (idxDirs.length > 0) checkList('idxDirs', idxDirs);
  const native = { ...common.native, kind: 'inproc', dirs, idxDirs, unconfirmed: true } as const;
  return { ...common, targets: [], isNetworkTrusted: false, native };
}

function fromConfig(options: ConfigConnectOptions): CheckedConnect {
  checkKeys('connect', options, [...commonKeys, 'config']);
  checkText('config', options.config);
  const { rdma, memory, limits, volumeServers, secrets } = loadProxyConfig(options.config, {});
  const { config: _, ...given } = options;
  const common = {
    memoryBytes: memory.bytes,
    hugepages: memory.hugepages,
    decodedBytesMax: limits.decodedBytesMax,
    timeoutMs: rdma.timeoutMs,
    connectTimeoutMs: rdma.connectTimeoutMs,
    ...given,
  };
  if (rdma.transport === 'inproc' && rdma.mode !== 'off') {
    return fromDirectories({ ...common, dirs: rdma.dirs });
  }
  const targets = volumeServers.flatMap(({ target }) => target ?? []);
  if (targets.length === 0) {
    throw new TypeError(`${options.config} names no target (rdma.mode = "${rdma.mode}")`);
  }
  const { deviceName, tls, isNetworkTrusted: ucxTcpTrustedNetwork, isTlsOff: tlsOff } = rdma;
  const transport = rdma.transport === 'inproc' ? 'auto' : rdma.transport;
  const fabric = { transport, tlsOff, deviceName, tls, ucxTcpTrustedNetwork } as const;
  const checked = fromTargets({ ...common, targets, ...fabric }, secrets);
  // One session to each target, over the first of its rails.
  const { native } = checked;
  return native.kind === 'ucx' ? { ...checked, native: { ...native, rails: rdma.rails } } : checked;
}

type Common = Omit<CheckedConnect, 'native' | 'targets' | 'isNetworkTrusted'> & {
  readonly native: Pick<RdmaClientOptions, 'arenaBytes' | 'hugepages' | 'requestsMax'>;
};

function checkCommon(options: CommonConnectOptions): Common {
  const { memoryBytes = defaults.memoryBytes, hugepages = defaults.hugepages } = options;
  const { readsMax = defaults.readsMax, decodedBytesMax = defaults.decodedBytesMax } = options;
  const { timeoutMs = defaults.timeoutMs, signal } = options;
  const { connectTimeoutMs = defaults.connectTimeoutMs } = options;
  integerWithin('memoryBytes', memoryBytes, 2 * mebibyte, Number.MAX_SAFE_INTEGER);
  integerWithin('readsMax', readsMax, 1, readsMaxMax);
  integerWithin('decodedBytesMax', decodedBytesMax, 1, 2 ** 32);
  checkTimeout('timeoutMs', timeoutMs);
  checkTimeout('connectTimeoutMs', connectTimeoutMs);
  checkSignal(signal);
  if (!['try', 'require', 'off'].includes(hugepages)) {
    throw wrongType('hugepages', '"try", "require" or "off"', hugepages);
  }
  const native = { arenaBytes: memoryBytes, hugepages, requestsMax: readsMax };
  return { native, memoryBytes, decodedBytesMax, timeoutMs, connectTimeoutMs, signal };
}

function targetOf(text: string, secret: Secret, connectTimeoutMs: number): TargetAddress {
  const address: HostPort | undefined = parseHostPort(text);
  if (address !== undefined && address.port > 0) return { ...address, secret, connectTimeoutMs };
  throw wrongType('targets', 'a list of host:port, such as "10.0.0.1:18515"', text);
}

/** One character is one byte, as the targets read theirs. */
function secretOf({ secret, secretFile }: TargetConnectOptions): string {
  if (secret !== undefined && secretFile !== undefined) {
    throw new TypeError('give secret or secretFile, not both');
  }
  if (secret !== undefined) checkText('secret', secret);
  if (secretFile === undefined) return Buffer.from(secret ?? '').toString('latin1');
  checkText('secretFile', secretFile);
  const content = readFileSync(secretFile, 'latin1').replace(/\r?\n$/, '');
  if (content !== '') return content;
  throw new TypeError(`secretFile "${secretFile}" is empty`);
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value);
}

function checkList(name: string, value: unknown): void {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (!isList || value.length === 0) throw wrongType(name, 'a list of strings, not empty', value);
}
