/**
 * Addresses at which UCX cannot be reached. Each side of a TCP connection of UCX dials the address that it sees of the
 * other, and UCX 1.13 listens on the first address of each device alone (ucs_netif_get_addr,
 * uct_tcp_iface_listener_init). A target tells proxies that address (control-listener.ts); a proxy that comes from
 * another one, or through NAT, is not dialled back.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import { isActive, rdmaPorts, roceAddresses } from './rdma-ports.ts';
import {
  activePorts,
  addressesOf,
  isAuto,
  isWildcard,
  type Machine,
  sourceFor,
  thisMachine,
  transportsOf,
  type UcxChoice,
  withoutAlias,
} from './ucx-devices.ts';
import { allowsTcp, isRdmaAlone } from './ucx-transports.ts';

export interface SecondAddress {
  readonly address: string;
  readonly device: string;
  readonly first: string;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** undefined: it is the first of its device, or none of this machine's. */
export function secondAddress(address: string, interfaces: Interfaces): SecondAddress | undefined {
  if (address.startsWith('127.') && address !== '127.0.0.1') {
    return { address, device: 'lo', first: '127.0.0.1' };
  }
  const label = Object.keys(interfaces).find((name) =>
    interfaces[name]?.some((row) => row.address === address),
  );
  if (label === undefined) return undefined;
  const device = withoutAlias(label);
  const isIpv6 = address.includes(':');
  const first = interfaces[device]?.find(
    (row) => row.address.includes(':') === isIpv6 && !/^(?:fe80:|::1$)/.test(row.address),
  )?.address;
  return first === undefined || first === address ? undefined : { address, device, first };
}

/**
 * Explains why no proxy can connect to a target at `host`, a literal address; undefined: nothing is known against it.
 */
export function listenFault(
  { tls, deviceName }: Pick<UcxChoice, 'tls' | 'deviceName'>,
  host: string,
  machine: Machine = thisMachine,
): string | undefined {
  const transports = transportsOf(tls, machine);
  if (isRdmaAlone(transports) && (host.startsWith('127.') || host === '::1')) {
    return `rdma.listen = "${host}" is loopback, and "${transports}" is RDMA alone, which has no loopback: set rdma.listen to an address of the RDMA port's network device, or rdma.tls = "auto"`;
  }
  if (!allowsTcp(transports)) {
    return withoutTcpFault(host, transports, machine) ?? elsewhereFault(host, transports, machine);
  }
  return isWildcard(host) ? wildcardFault(host, deviceName, machine) : undefined;
}

/** Without TCP and RDMA each attempt fails, and UCX 1.13 keeps the descriptor of each. */
function withoutTcpFault(host: string, transports: string, machine: Machine): string | undefined {
  const isLoopback = host.startsWith('127.') || host === '::1';
  if (isLoopback || activePorts(machine.sysRoot).length > 0) return undefined;
  return `UCX_TLS "${transports}" leaves TCP out and no RDMA port is up: no other host can connect to rdma.listen = "${host}", and each attempt takes a descriptor for good. Set rdma.listen = "127.0.0.1", or rdma.tls = "auto"`;
}

/** Over RDMA alone UCX listens for RoCE at the addresses of its ports. An InfiniBand port's address is not in sysfs. */
function elsewhereFault(host: string, transports: string, machine: Machine): string | undefined {
  const ports = rdmaPorts(machine.sysRoot).filter(isActive);
  const isKnown = ports.length > 0 && ports.every(({ linkLayer }) => linkLayer === 'Ethernet');
  if (!isRdmaAlone(transports) || isWildcard(host) || !isKnown) return undefined;
  const places = ports.flatMap((port) =>
    roceAddresses(port, machine.environment['UCX_IB_GID_INDEX']),
  );
  if (places.includes(host)) return undefined;
  const names = ports.map(({ name }) => name).join(', ');
  return `rdma.listen = "${host}" is no address of ${names}, and "${transports}" is RDMA alone: no proxy can connect. Set rdma.listen to ${places.join(' or ') || 'an address of its network device (it has none)'}, or rdma.tls = "auto"`;
}

/** UCX tells its peer of every device, and the peer takes one without asking whether it has a route to it. */
function wildcardFault(host: string, deviceName: string, machine: Machine): string | undefined {
  if (!isAuto(deviceName) || machine.environment['UCX_NET_DEVICES'] !== undefined) return undefined;
  const isIpv6 = host.includes(':');
  const devices = Object.entries(machine.interfaces()).flatMap(([name, rows]) => {
    const isOffered = rows?.some(
      ({ internal, address }) =>
        !internal && address.includes(':') === isIpv6 && !address.startsWith('fe80:'),
    );
    return isOffered === true ? [withoutAlias(name)] : [];
  });
  const names = [...new Set(devices)];
  if (names.length < 2) return undefined;
  return `rdma.listen = "${host}" offers ${names.join(', ')}, and UCX's TCP takes any of them: a proxy that has no route to one of them may not connect. Set rdma.listen to the address that proxies dial, or rdma.device_name to its device`;
}

/** One line for each address of this machine from which targets are reached and that they cannot dial. */
export async function sourceFaults(
  { tls }: Pick<UcxChoice, 'tls'>,
  hosts: readonly string[],
  machine: Machine = thisMachine,
): Promise<readonly string[]> {
  if (!allowsTcp(transportsOf(tls, machine))) return [];
  const addresses = (await Promise.all([...new Set(hosts)].map(addressesOf))).flat();
  const sources = await Promise.all(
    addresses.map((address) => sourceFor(address).catch(() => undefined)),
  );
  const interfaces = machine.interfaces();
  return [...new Set(sources)].flatMap((source) => {
    const second = source === undefined ? undefined : secondAddress(source, interfaces);
    if (second === undefined) return [];
    return [
      `targets are reached from ${second.address}: ${secondText(second)}: make the route's source ${second.first} (ip route … src ${second.first})`,
    ];
  });
}

function secondText({ address, device, first }: SecondAddress): string {
  return `${address} is not the first address of ${device} (${first}), and UCX's TCP listens on the first alone`;
}

/** A log with pino's arguments: the fields, then the message. */
interface Log {
  warn(fields: object, message: string): void;
}

export function logAddressFaults(log: Log, faults: readonly (string | undefined)[]): void {
  for (const fault of faults) {
    if (fault !== undefined) log.warn({ event: 'ucx-address' }, fault);
  }
}

/** Adds the usual meaning to UCX's text about a failed connection; other texts stay as they are. */
export function withMeaning(detail: string): string {
  const meaning = meanings[detail];
  return meaning === undefined ? detail : `${detail} (${meaning})`;
}

const noDialBack =
  "the target cannot dial this host back: UCX's TCP needs the first address of the device, of the same family on both sides, without NAT or a firewall between";

const meanings: Readonly<Record<string, string>> = {
  'Endpoint timeout':
    "nothing answers at the target's UCX ports: a firewall drops it, or the target listens on all of its devices (0.0.0.0) and this host has no route to one of them",
  'Endpoint is not connected': noDialBack,
  'Destination is unreachable': 'no route, or no transport in common',
  'Operation rejected by remote peer': noDialBack,
};
