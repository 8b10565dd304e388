/**
 * Which devices UCX may use. Its TCP transport listens on each network device that it is given, and a host that reaches
 * such a port writes into this process's memory (UCX knows no credentials): it gets those that the configuration means,
 * no more.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { RdmaUnavailableError } from './errors.ts';
import { entriesOf } from './machine-files.ts';
import { isActive, rdmaPorts } from './rdma-ports.ts';
import { allowsTcp, allowsVerbs } from './ucx-transports.ts';

export interface UcxChoice {
  /** `rdma.device_name` and `rdma.tls`. */
  readonly deviceName: string;
  readonly tls: string;
  /** `rdma.ucx_tcp_trusted_network`: only trusted hosts reach this one's TCP ports. */
  readonly isNetworkTrusted: boolean;
}

export interface UcxDevices {
  /** For UCX_NET_DEVICES; "auto": all. */
  readonly deviceName: string;
  /** Network devices beyond loopback on which UCX's TCP will listen. */
  readonly exposed: readonly string[];
}

/** For a role that connects. */
export interface UcxReach extends UcxDevices {
  /** UCX's TCP speaks one address family in a process: IPv4, unless no target has an IPv4 address. */
  readonly isIpv6: boolean;
}

/** The parts of the machine that are looked at; tests give their own. */
export interface Machine {
  readonly sysRoot: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly interfaces: () => ReturnType<typeof networkInterfaces>;
}

export const thisMachine: Machine = {
  sysRoot: '/sys',
  environment: process.env,
  interfaces: networkInterfaces,
};

/** A log with pino's arguments: the fields, then the message. */
interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Says which devices a role uses; where UCX's TCP listens beyond loopback that is a warning. */
export function logDevices(log: Log, { deviceName, exposed }: UcxDevices): void {
  const fields = { event: 'ucx-devices', devices: deviceName, exposed };
  if (exposed.length === 0) {
    log.info(fields, 'UCX uses these devices');
    return;
  }
  log.warn(
    fields,
    'a host that reaches a TCP port of UCX on these network devices can write into this process: rdma.ucx_tcp_trusted_network says that only proxies and targets do',
  );
}

/** Says where a role does without UCX. */
export function logTransport(log: Log, transport: 'ucx' | 'tcp'): void {
  if (transport === 'ucx') return;
  log.info(
    { event: 'transport', transport },
    'sessions go over TCP connections to rdma.port, without UCX: there is no RDMA port that it could use',
  );
}

/** Says that the kernel does not keep strangers from UCX's TCP ports; undefined: it does. */
export function logGuardFault(log: Log, fault: string | undefined): void {
  if (fault === undefined) return;
  log.warn(
    { event: 'ucx-unguarded', detail: fault },
    "UCX's TCP ports take packets of every host that reaches them, not of admitted ones alone: close them with a firewall (docs/security.md)",
  );
}

/** Chooses the devices of a role that listens on `host`, a literal address. */
export function devicesToListen(
  choice: UcxChoice,
  host: string,
  machine: Machine = thisMachine,
): UcxDevices {
  const isIpv6 = isIP(host) === 6;
  if (isWildcard(host)) return chosen(choice, undefined, { machine, isIpv6 });
  const name = deviceOf(host, machine);
  return chosen(choice, name === undefined ? undefined : [name], { machine, isIpv6 });
}

/**
 * Chooses the devices of a role that connects to `hosts`: those of the routes to them, as they are now. Never throws;
 * where a route is not known, because a name does not resolve yet, nothing is left out.
 */
export async function devicesToReach(
  choice: UcxChoice,
  hosts: readonly string[],
  machine: Machine = thisMachine,
): Promise<UcxReach> {
  const found = await Promise.all([...new Set(hosts)].map(addressesOf));
  const isIpv6 = speaksIpv6(found.flat());
  const routes = await Promise.all(
    found.map((addresses) => routesTo(ofFamily(addresses, isIpv6), machine)),
  );
  const names = routes.flat();
  const known = names.filter((name) => name !== undefined);
  const wanted = known.length < names.length ? undefined : known;
  const devices = chosen(choice, wanted, { machine, isIpv6 });
  return { ...devices, isIpv6 };
}

function speaksIpv6(addresses: readonly string[]): boolean {
  return addresses.length > 0 && addresses.every((address) => isIP(address) === 6);
}

function ofFamily(addresses: readonly string[], isIpv6: boolean): readonly string[] {
  return addresses.filter((address) => (isIP(address) === 6) === isIpv6);
}

/** `wanted`: network devices; undefined: all. */
function chosen(
  { deviceName, tls, isNetworkTrusted }: UcxChoice,
  wanted: readonly string[] | undefined,
  { machine, isIpv6 }: { readonly machine: Machine; readonly isIpv6: boolean },
): UcxDevices {
  const { environment, sysRoot } = machine;
  const transports = transportsOf(tls, machine);
  if (!allowsTcp(transports)) return { deviceName, exposed: [] };
  // One look: what is judged is what is listed.
  const interfaces = machine.interfaces();
  const all = Object.keys(interfaces);
  const exposedOf = (names: readonly string[]): readonly string[] =>
    names.filter((name) => isBeyondLoopback(name, { interfaces, sysRoot, isIpv6 }));
  const set = isAuto(deviceName) ? environment['UCX_NET_DEVICES'] : deviceName;
  if (set !== undefined) {
    const names = set.split(',').map((name) => name.trim());
    if (!names.includes('all')) return { deviceName, exposed: exposedOf(names) };
  }
  const ports = allowsVerbs(transports) ? activePorts(sysRoot) : [];
  // RDMA needs no TCP of UCX beside it. A role without peers needs a device all the same.
  const isLocal = (ports.length > 0 && !isNetworkTrusted) || wanted?.length === 0;
  const local = isLocal ? all.filter((name) => exposedOf([name]).length === 0) : wanted;
  const nets = set === undefined ? local : undefined;
  const names = [...new Set([...(nets ?? []), ...ports])];
  if (nets !== undefined && names.length > 0) {
    return { deviceName: names.join(','), exposed: exposedOf(nets) };
  }
  const exposed = exposedOf(all);
  if (exposed.length > 0 || isNetworkTrusted) return { deviceName, exposed };
  // Those alone that were looked at: another may come up before UCX looks.
  const looked = all.length === 0 ? ['lo'] : all.map(withoutAlias);
  return { deviceName: [...new Set([...looked, ...ports])].join(','), exposed };
}

export function isAuto(value: string): boolean {
  return value === 'auto' || value === '';
}

/** `rdma.transport` of a target, and of a proxy with targets. */
export type TransportChoice = 'auto' | 'ucx' | 'tcp';

/**
 * Resolves "auto": UCX where it opens no TCP port beyond loopback, as with RDMA and on one host, or where the network is
 * trusted; else TCP connections of ours.
 */
export function resolveTransport(
  choice: TransportChoice,
  { exposed }: UcxDevices,
  isNetworkTrusted: boolean,
): 'ucx' | 'tcp' {
  if (choice !== 'auto') return choice;
  return exposed.length === 0 || isNetworkTrusted ? 'ucx' : 'tcp';
}

/** @throws RdmaUnavailableError where UCX's TCP would listen beyond loopback in a network that is not trusted. */
export function refuseExposed(
  { exposed }: UcxDevices,
  isNetworkTrusted: boolean,
  option = 'rdma.ucx_tcp_trusted_network = true',
): void {
  if (exposed.length === 0 || isNetworkTrusted) return;
  throw new RdmaUnavailableError(
    'untrusted-network',
    `UCX would open a TCP port on ${exposed.join(', ')}, and a host that reaches it can write into this process, without any secret. Where only proxies and targets reach this host on it (docs/security.md), set ${option}; else stay on loopback, or use RDMA alone (rdma.tls without tcp)`,
  );
}

/** Lists the transports in the form of UCX_TLS. An empty key leaves the choice to UCX, as "auto" does. */
export function transportsOf(tls: string, { environment }: Machine = thisMachine): string {
  return isAuto(tls) ? (environment['UCX_TLS'] ?? 'all') : tls;
}

/**
 * False for names of other than network devices, such as "mlx5_0:1". An address that others route to may be of lo: UCX
 * takes it in IPv6, where it leaves ::1 out, and in IPv4 where it is the first of the device. One that is not up yet
 * counts: it may be when UCX looks.
 */
function isBeyondLoopback(
  name: string,
  {
    interfaces,
    sysRoot,
    isIpv6,
  }: {
    readonly interfaces: ReturnType<Machine['interfaces']>;
    readonly sysRoot: string;
    readonly isIpv6: boolean;
  },
): boolean {
  const device = withoutAlias(name);
  const rows = Object.entries(interfaces)
    .filter(([label]) => withoutAlias(label) === device)
    .flatMap(([, each]) => each ?? []);
  if (rows.length === 0) return device !== 'lo' && isNetworkDevice(device, sysRoot);
  if (rows.some(({ internal }) => !internal)) return true;
  const own = interfaces[device] ?? [];
  const ofFamily = own.filter(({ address }) => address.includes(':') === isIpv6);
  if (isIpv6) return ofFamily.some(({ address }) => address !== '::1');
  return ofFamily[0] !== undefined && !ofFamily[0].address.startsWith('127.');
}

function isNetworkDevice(device: string, sysRoot: string): boolean {
  return entriesOf(join(sysRoot, 'class', 'net')).includes(device);
}

/** "mlx5_0:1" of each RDMA port that is up. */
export function activePorts(sysRoot: string): readonly string[] {
  return rdmaPorts(sysRoot)
    .filter(isActive)
    .map(({ name }) => name);
}

/** Empty: the name is not known yet. */
export async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
}

/** [undefined]: not known. */
async function routesTo(
  addresses: readonly string[],
  machine: Machine,
): Promise<readonly (string | undefined)[]> {
  const sources = await Promise.all(
    addresses.map((address) => sourceFor(address).catch(() => undefined)),
  );
  // If a name has several addresses, those that can be reached count.
  const names = sources.flatMap((source) =>
    source === undefined ? [] : [deviceOf(source, machine)],
  );
  return names.length === 0 ? [undefined] : names;
}

/** The address that the kernel would send from; nothing is sent. */
export function sourceFor(address: string): Promise<string> {
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once('error', reject);
  socket.connect(anyPort, address, (error?: Error) => {
    if (error === undefined || error === null) resolve(socket.address().address);
    else reject(error);
  });
  return promise.finally(() => socket.close());
}

const anyPort = 9;

/** The addresses from which the kernel would send to `hosts`, literal addresses; those without a route have none. */
export async function sourcesFor(hosts: readonly string[]): Promise<readonly string[]> {
  const sources = await Promise.all(hosts.map((host) => sourceFor(host).catch(() => undefined)));
  return [...new Set(sources.filter((source) => source !== undefined))];
}

/** The device that has this address; undefined: none has. */
function deviceOf(address: string, machine: Machine): string | undefined {
  const [plain = '', scope] = address.split('%');
  if (scope !== undefined) return scope;
  const found = Object.entries(machine.interfaces()).find(([, rows]) =>
    rows?.some((row) => row.address.split('%')[0] === plain || isInLoopback(plain, row)),
  );
  return found === undefined ? undefined : withoutAlias(found[0]);
}

/** All of 127.0.0.0/8 is the loopback device's. */
function isInLoopback(
  address: string,
  row: { readonly address: string; readonly internal: boolean },
): boolean {
  return row.internal && row.address.startsWith('127.') && address.startsWith('127.');
}

/** A second address of eth0 may be labelled eth0:1. */
export function withoutAlias(name: string): string {
  return name.replace(/:.*$/, '');
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}
