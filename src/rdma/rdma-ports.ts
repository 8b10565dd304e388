/** The ports of this machine's RDMA devices, and their GIDs, as sysfs shows them. */
import { join } from 'node:path';
import { entriesOf, readLine } from './machine-files.ts';

export interface Gid {
  readonly index: number;
  readonly gid: string;
  /** "IB/RoCE v1" or "RoCE v2". */
  readonly type: string;
  readonly netDevice: string;
}

export interface RdmaPort {
  /** UCX's name of the port: "mlx5_0:1". */
  readonly name: string;
  /** "4: ACTIVE". */
  readonly state: string;
  readonly physicalState: string;
  /** "InfiniBand" or "Ethernet". */
  readonly linkLayer: string;
  /** "100 Gb/sec (4X EDR)". */
  readonly rate: string;
  /** Without the empty ones. */
  readonly gids: readonly Gid[];
  /** MTU of the port's network device. */
  readonly mtuBytes: number | undefined;
}

/** Those of one device, or of all. */
export function rdmaPorts(sysRoot: string, device?: string): readonly RdmaPort[] {
  const root = join(sysRoot, 'class', 'infiniband');
  const devices = device === undefined ? entriesOf(root) : [device];
  return devices.flatMap((name) =>
    entriesOf(join(root, name, 'ports')).map((port) => portOf(sysRoot, name, port)),
  );
}

export function isActive({ state }: Pick<RdmaPort, 'state'>): boolean {
  return state.includes('ACTIVE');
}

/**
 * Addresses of its GIDs of RoCE v2, in the form of IP addresses; link-local ones, which no route leads to, left out.
 *
 * @param gidIndex UCX_IB_GID_INDEX: the one that UCX takes; undefined: any
 */
export function roceAddresses(
  { gids }: Pick<RdmaPort, 'gids'>,
  gidIndex?: string,
): readonly string[] {
  const wanted = gidIndex === undefined || gidIndex === 'auto' ? undefined : Number(gidIndex);
  return gids.flatMap(({ index, gid, type }) => {
    if (type !== 'RoCE v2' || gid.startsWith('fe80:')) return [];
    if (wanted !== undefined && index !== wanted) return [];
    const mapped = /^0000:0000:0000:0000:0000:ffff:(\w\w)(\w\w):(\w\w)(\w\w)$/.exec(gid);
    if (mapped === null) return [new URL(`http://[${gid}]`).hostname.slice(1, -1)];
    return [
      mapped
        .slice(1)
        .map((byte) => Number.parseInt(byte, 16))
        .join('.'),
    ];
  });
}

function portOf(sysRoot: string, device: string, port: string): RdmaPort {
  const folder = join(sysRoot, 'class', 'infiniband', device, 'ports', port);
  const gids = entriesOf(join(folder, 'gids'))
    .map((index) => ({
      index: Number(index),
      gid: readLine(join(folder, 'gids', index)) ?? '',
      type: readLine(join(folder, 'gid_attrs', 'types', index)) ?? '',
      netDevice: readLine(join(folder, 'gid_attrs', 'ndevs', index)) ?? '',
    }))
    .filter(({ gid }) => /[1-9a-f]/.test(gid.replace(/^fe80:/, '')))
    .sort((a, b) => a.index - b.index);
  const netDevice =
    gids.find((gid) => gid.netDevice !== '')?.netDevice ??
    entriesOf(join(sysRoot, 'class', 'infiniband', device, 'device', 'net'))[0];
  const mtu = netDevice && readLine(join(sysRoot, 'class', 'net', netDevice, 'mtu'));
  return {
    name: `${device}:${port}`,
    state: readLine(join(folder, 'state')) ?? 'unknown',
    physicalState: readLine(join(folder, 'phys_state')) ?? 'unknown',
    linkLayer: readLine(join(folder, 'link_layer')) ?? 'unknown',
    rate: readLine(join(folder, 'rate')) ?? 'unknown',
    gids,
    mtuBytes: mtu ? Number(mtu) : undefined,
  };
}
