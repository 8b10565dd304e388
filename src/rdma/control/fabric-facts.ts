/** The RDMA ports of one side, as it tells the other on the control connection, and why RDMA does not go between two sides. */
import { isIP } from 'node:net';
import { isActive, rdmaPorts, roceAddresses } from '../rdma-ports.ts';
import { isAuto, type Machine, sourceFor, thisMachine } from '../ucx-devices.ts';
import { allowsVerbs, isRdmaAlone } from '../ucx-transports.ts';

/** An active port that UCX may use. */
export interface FabricPort {
  /** UCX's name of the port: "mlx5_0:1". */
  readonly name: string;
  /** "InfiniBand" or "Ethernet". */
  readonly link: string;
  /** Literal addresses of its GIDs of RoCE v2. */
  readonly addresses: readonly string[];
  /** MTU of its network device; 0: it is not known. */
  readonly mtu: number;
}

export interface FabricFacts {
  /** UCX_TLS. */
  readonly transports: string;
  readonly ports: readonly FabricPort[];
}

/** So many of each are told: a line has 8 KiB. */
const portsMax = 8;
const addressesMax = 4;

/** @param devices as UCX_NET_DEVICES */
export function ownFabric(
  transports: string,
  devices: string,
  { sysRoot, environment }: Pick<Machine, 'sysRoot' | 'environment'> = thisMachine,
): FabricFacts {
  if (!allowsVerbs(transports)) return { transports, ports: [] };
  const names = devices.split(',').map((name) => name.trim());
  const isEvery = names.some((name) => isAuto(name) || name === 'all');
  const given = rdmaPorts(sysRoot)
    .filter(isActive)
    .filter(({ name }) => isEvery || names.includes(name));
  const ports = given.slice(0, portsMax).map((port) => ({
    name: port.name,
    link: port.linkLayer,
    addresses: roceAddresses(port, environment['UCX_IB_GID_INDEX']).slice(0, addressesMax),
    mtu: port.mtuBytes ?? 0,
  }));
  return { transports, ports };
}

/** A port has hundreds of files for its GIDs, and a target may admit a thousand proxies at once. */
const lookAgainMs = 5_000;
const looks = new Map<string, { readonly facts: FabricFacts; readonly atMs: number }>();

/** Gives this machine's ownFabric, at most five seconds old. */
export function fabricHere(transports: string, devices: string): FabricFacts {
  const key = `${transports} ${devices}`;
  const last = looks.get(key);
  const nowMs = performance.now();
  if (last !== undefined && nowMs - last.atMs < lookAgainMs) return last.facts;
  const facts = ownFabric(transports, devices);
  looks.set(key, { facts, atMs: nowMs });
  return facts;
}

/** undefined: it is no such thing, as from a side of before these facts. */
export function fabricOf(value: unknown): FabricFacts | undefined {
  const { transports, ports } = (value ?? {}) as Record<string, unknown>;
  if (typeof transports !== 'string' || !Array.isArray(ports)) return undefined;
  const isSound = ports.length <= portsMax && ports.every(isPort);
  return isSound ? { transports, ports: ports as readonly FabricPort[] } : undefined;
}

function isPort(value: unknown): boolean {
  const { name, link, addresses, mtu } = (value ?? {}) as Record<string, unknown>;
  const isNamed = typeof name === 'string' && typeof link === 'string' && typeof mtu === 'number';
  return (
    isNamed &&
    Array.isArray(addresses) &&
    addresses.length <= addressesMax &&
    addresses.every((address) => typeof address === 'string' && isIP(address) !== 0)
  );
}

/**
 * Names what is known against RDMA between this side and the target, to be said where there is no session.
 *
 * @param reached the address at which the target's UCX listens
 * @returns undefined: RDMA is not what would carry the session
 */
export async function rdmaObstacle(
  own: FabricFacts,
  target: FabricFacts,
  reached: string,
  sourceOf: (address: string) => Promise<string> = sourceFor,
): Promise<string | undefined> {
  const missing = missingPorts(own, target);
  if (missing !== undefined || own.ports.length === 0 || target.ports.length === 0) return missing;
  const links = new Set(own.ports.map(({ link }) => link));
  if (!target.ports.some(({ link }) => links.has(link))) {
    return `RDMA does not go between the two: ${listed(own)} here, ${listed(target)} at the target. Set rdma.device_name to ports of one kind, or rdma.transport = "tcp"`;
  }
  if (!links.has('Ethernet')) {
    return `both sides have InfiniBand (${listed(own)} here, ${listed(target)} at the target): are they in one subnet, with one subnet manager (ibstat, ibping)?`;
  }
  return reachedText(target, reached) ?? roceObstacle(own, target, sourceOf);
}

/** RDMA alone is allowed, and one side has no port for it. */
function missingPorts(own: FabricFacts, target: FabricFacts): string | undefined {
  const alone = [own, target].find(({ transports }) => isRdmaAlone(transports));
  if (alone === undefined) return undefined;
  const only = `rdma.tls = "${alone.transports}" is RDMA alone`;
  const remedy = 'bring one up (seaweed-rdma doctor), or set rdma.tls = "auto" on both';
  if (own.ports.length === 0) return `${only}, and no RDMA port of this host is up: ${remedy}`;
  return target.ports.length === 0
    ? `${only}, and no RDMA port of the target is up: ${remedy}`
    : undefined;
}

/** Over RDMA alone UCX listens for RoCE at the addresses of its ports. */
function reachedText(target: FabricFacts, reached: string): string | undefined {
  const { transports, ports } = target;
  const isElsewhere = ports.every(
    ({ link, addresses }) =>
      link === 'Ethernet' && addresses.length > 0 && !addresses.includes(reached),
  );
  if (!isRdmaAlone(transports) || !isElsewhere) return undefined;
  return `${reached} is no address of the target's RDMA ports, ${listed(target)}, at which alone it can be reached with rdma.tls = "${transports}": set rdma.listen there and rdma.target here to one of them`;
}

async function roceObstacle(
  own: FabricFacts,
  target: FabricFacts,
  sourceOf: (address: string) => Promise<string>,
): Promise<string> {
  const [here, there] = [own, target].map(roceOnly) as [FabricFacts, FabricFacts];
  for (const [side, where] of [
    [here, 'here'],
    [there, 'at the target'],
  ] as const) {
    if (side.ports.some(({ addresses }) => addresses.length > 0)) continue;
    return `${listed(side)} ${where} has no GID of RoCE v2 with an address: give its network device an IP address (ip addr add), unset UCX_IB_GID_INDEX, or cma_roce_mode -m 2`;
  }
  const sources = await sourcesTo(there, sourceOf);
  const routed = here.ports.filter(({ addresses }) =>
    addresses.some((address) => sources.has(address)),
  );
  if (routed.length === 0) {
    const from = [...sources].join(', ') || 'no address';
    return `no route leads from ${listed(here)} to ${listed(there)}: the kernel would send from ${from}. Is it another network, or is a route by the RDMA port's network device missing?`;
  }
  const mtu = mtuText(routed, there.ports);
  return `between ${listed({ ports: routed })} here and ${listed(there)} at the target nothing is known against RoCE: look for a firewall that drops UDP port 4791${mtu}`;
}

function roceOnly({ transports, ports }: FabricFacts): FabricFacts {
  return { transports, ports: ports.filter(({ link }) => link === 'Ethernet') };
}

async function sourcesTo(
  { ports }: FabricFacts,
  sourceOf: (address: string) => Promise<string>,
): Promise<ReadonlySet<string>> {
  const addresses = ports.flatMap((port) => port.addresses);
  const found = await Promise.allSettled(addresses.map(sourceOf));
  return new Set(found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
}

/** Every Ethernet carries it. */
const ethernetMtu = 1_500;

function mtuText(own: readonly FabricPort[], target: readonly FabricPort[]): string {
  const [here, there] = [own, target].map((ports) => ports.find(({ mtu }) => mtu > 0)?.mtu);
  if (here === undefined || there === undefined) return '';
  if (here !== there)
    return `, and at the MTU: ${here} here, ${there} at the target. The smaller one has to fit every switch between`;
  if (here <= ethernetMtu) return '';
  return `, or, where sessions come up and are lost with the first long needle, for a switch between that does not carry the MTU of both sides, ${here}`;
}

/** "mlx5_0:1 (Ethernet, 10.0.0.1)". */
function listed({ ports }: Pick<FabricFacts, 'ports'>): string {
  return ports
    .map(({ name, link, addresses }) => `${name} (${[link, ...addresses].join(', ')})`)
    .join(', ');
}
