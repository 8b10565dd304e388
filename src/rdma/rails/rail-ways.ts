/**
 * How a rail reaches a target: from an address of the rail's device to the address of the target in the same network. A
 * target that has none there is dialled all the same: routes by source are the operator's. Pure, but for the look at /sys.
 */
import { BlockList, isIP } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { join } from 'node:path';
import { entriesOf, readLine, readText } from '../machine-files.ts';
import { withoutAlias } from '../ucx-devices.ts';

export interface RailWay {
  /** A literal address of the target. */
  readonly host: string;
  readonly port: number;
  /** A literal address of this host. */
  readonly from: string;
}

type Place = Omit<RailWay, 'from'>;
type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * @param device a network device, an RDMA port ("mlx5_0:1"), or an address of this host
 * @param places literal addresses of one target
 * @returns those within a network of the device; without any, every one of a family that the device has
 */
export function waysOf(
  device: string,
  places: readonly Place[],
  interfaces: Interfaces,
  sysRoot = '/sys',
): readonly RailWay[] {
  const rows = rowsOf(device, interfaces, sysRoot);
  const ways = rows.flatMap((row) =>
    places
      .filter(({ host }) => isIP(host) === isIP(row.address))
      .map(({ host, port }) => ({ host, port, from: row.address, isLocal: isWithin(host, row) })),
  );
  const local = ways.filter(({ isLocal }) => isLocal);
  return (local.length > 0 ? local : ways).map(({ host, port, from }) => ({ host, port, from }));
}

function rowsOf(
  device: string,
  interfaces: Interfaces,
  sysRoot: string,
): readonly NetworkInterfaceInfo[] {
  const all = Object.entries(interfaces).flatMap(([label, rows]) =>
    (rows ?? []).map((row) => ({ name: withoutAlias(label), row })),
  );
  const networks = new Set([device, ...networksOf(device, sysRoot)]);
  return all
    .filter(({ name, row }) => networks.has(name) || row.address === device)
    .map(({ row }) => row)
    .filter(({ address }) => !address.startsWith('fe80:'));
}

function isWithin(host: string, { cidr }: NetworkInterfaceInfo): boolean {
  const [network = '', bits = ''] = cidr?.split('/') ?? [];
  if (isIP(network) === 0 || bits === '') return false;
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(host, family);
}

/** The network devices of an RDMA port. */
function networksOf(port: string, sysRoot: string): readonly string[] {
  const [device = '', number = '1'] = port.split(':');
  if (device === '' || !/^\d+$/.test(number)) return [];
  const root = join(sysRoot, 'class', 'infiniband', device);
  const attributes = join(root, 'ports', number, 'gid_attrs', 'ndevs');
  const ofGids = entriesOf(attributes).flatMap((gid) => readLine(join(attributes, gid)) ?? []);
  return [...new Set([...ofGids, ...entriesOf(join(root, 'device', 'net'))])];
}

/** False only where the device is known to be on a NUMA node of which this process may use no processor. */
export function isNear(
  device: string,
  sysRoot = '/sys',
  ownProcessors: string = allowedProcessors(),
): boolean {
  const [name = ''] = device.split(':');
  const nodes = ['infiniband', 'net'].map((kind) =>
    readLine(join(sysRoot, 'class', kind, name, 'device', 'numa_node')),
  );
  const node = nodes.find((text) => /^\d+$/.test(text ?? ''));
  if (node === undefined) return true;
  const list = readLine(join(sysRoot, 'devices', 'system', 'node', `node${node}`, 'cpulist'));
  if (list === undefined || ownProcessors === '') return true;
  const own = rangesOf(ownProcessors);
  return rangesOf(list).some(([from, to]) =>
    own.some(([ownFrom, ownTo]) => from <= ownTo && ownFrom <= to),
  );
}

function allowedProcessors(): string {
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '';
}

/** Reads "0-3,8". */
function rangesOf(list: string): readonly (readonly [number, number])[] {
  return list.split(',').map((part) => {
    const [from = '', to = from] = part.split('-');
    return [Number(from), Number(to)];
  });
}
