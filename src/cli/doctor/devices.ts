/** Layer 4: RDMA devices as sysfs shows them, and whether the configured name is one of them. */

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { entriesOf, readLine } from '../../rdma/machine-files.ts';
import { isActive, type RdmaPort, rdmaPorts } from '../../rdma/rdma-ports.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { judgeGid } from './gids.ts';
import type { Nearest } from './setup.ts';
import type { ChosenValue } from './ucx.ts';

export interface RdmaDevice {
  readonly name: string;
  readonly firmware: string;
  /** undefined: the machine does not say. */
  readonly numaNode: number | undefined;
  readonly ports: readonly RdmaPort[];
  /** Why its file in /dev/infiniband cannot be opened; '' when it can. */
  readonly openFailure: string;
}

export interface DeviceFacts {
  readonly devices: readonly RdmaDevice[];
  readonly netDevices: readonly string[];
  readonly place: string;
}

export function gatherDevices(sysRoot: string): DeviceFacts {
  const place = join(sysRoot, 'class', 'infiniband');
  const devices = entriesOf(place).map((name) => rdmaDevice(sysRoot, name));
  return { devices, netDevices: entriesOf(join(sysRoot, 'class', 'net')), place };
}

function rdmaDevice(sysRoot: string, name: string): RdmaDevice {
  const folder = join(sysRoot, 'class', 'infiniband', name);
  const node = Number(readLine(join(folder, 'device', 'numa_node')) ?? -1);
  return {
    name,
    firmware: readLine(join(folder, 'fw_ver')) ?? 'unknown',
    numaNode: node >= 0 ? node : undefined,
    ports: rdmaPorts(sysRoot, name),
    openFailure: openFailure(sysRoot, name),
  };
}

/** Works for this machine alone: a copied /sys has no /dev. */
function openFailure(sysRoot: string, name: string): string {
  if (sysRoot !== '/sys') return '';
  const verbs = join(sysRoot, 'class', 'infiniband_verbs');
  const uverbs = entriesOf(verbs).find((entry) => readLine(join(verbs, entry, 'ibdev')) === name);
  if (uverbs === undefined) return 'no uverbs device belongs to it';
  try {
    accessSync(join('/dev/infiniband', uverbs), constants.R_OK | constants.W_OK);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export interface DeviceChoices {
  readonly deviceName: ChosenValue;
  /** UCX_IB_GID_INDEX. */
  readonly gidIndex: string | undefined;
}

export function judgeDevices(
  facts: DeviceFacts,
  choices: DeviceChoices,
  nearest: Nearest,
): readonly Finding[] {
  const ports = facts.devices.flatMap((device) => device.ports);
  if (facts.devices.length === 0) {
    const why = 'no RDMA device';
    return [
      skip('rdma-devices', 'no RDMA device: shared memory and TCP carry the reads', [
        `${facts.place} is empty`,
        'would check firmware, NUMA node and access of each device',
      ]),
      skip('rdma-port', why, ['would check that each port is ACTIVE, its link layer and rate']),
      skip('rdma-mtu', why, ['would check that the network device lets 4096 bytes through']),
      skip('rdma-gid', why, ['would check for a GID of RoCE v2, and its index']),
      deviceName(facts, choices.deviceName, nearest),
    ];
  }
  const chosen = choices.deviceName.value.split(',');
  return [
    ...facts.devices.map(rdmaDeviceFinding),
    ...ports.map((port) => portFinding(port, ports, chosen)),
    ...ports.map(mtuFinding),
    ...ports.map((port) => judgeGid(port, choices.gidIndex)),
    deviceName(facts, choices.deviceName, nearest),
  ];
}

function rdmaDeviceFinding({ name, firmware, numaNode, ports, openFailure }: RdmaDevice): Finding {
  const evidence = [
    `${name}: firmware ${firmware}, NUMA node ${numaNode ?? 'unknown'}, ${ports.length} ports`,
  ];
  if (openFailure === '') return ok('rdma-devices', name, evidence);
  return fail('rdma-devices', {
    summary: `${name}: this user cannot open it`,
    evidence: [...evidence, openFailure],
    fix: [
      'Kubernetes: ask the device plugin for the device (resources.limits rdma/hca: 1)',
      'Docker: --device=/dev/infiniband; else: chmod 666 /dev/infiniband/uverbs* by udev (rdma-core)',
    ],
  });
}

function portFinding(
  port: RdmaPort,
  ports: readonly RdmaPort[],
  chosen: readonly string[],
): Finding {
  const evidence = [
    `${port.name}: state ${port.state}, physical ${port.physicalState}, ${port.linkLayer}, ${port.rate}`,
  ];
  if (isActive(port)) return ok('rdma-port', `${port.name} is active, ${port.rate}`, evidence);
  const trouble = {
    summary: `${port.name} is not active (${port.state})`,
    evidence,
    fix: [portFix(port)] as const,
  };
  // A second, unused port may well be without a cable.
  const isNeeded = chosen.includes(port.name) || !ports.some(isActive);
  return isNeeded ? fail('rdma-port', trouble) : warn('rdma-port', trouble);
}

function portFix({ linkLayer, state, gids, name }: RdmaPort): string {
  if (linkLayer === 'Ethernet') {
    const net = gids.find(({ netDevice }) => netDevice !== '')?.netDevice ?? 'its network device';
    return `ip link set ${net} up; without a link: cable, transceiver, the switch's port`;
  }
  if (state.includes('INIT')) return "no subnet manager answers: start opensm, or the switch's own";
  return `check cable and switch port, then: ibstat ${name.split(':')[0]}`;
}

const roceHeadersBytes = 58;
const mtuBytesMin = 4096 + roceHeadersBytes;

function mtuFinding({ name, linkLayer, mtuBytes, gids }: RdmaPort): Finding {
  if (linkLayer !== 'Ethernet') {
    return skip('rdma-mtu', `${name}: the subnet manager sets it`, [
      `ibv_devinfo -d ${name.split(':')[0]} shows active_mtu`,
    ]);
  }
  if (mtuBytes === undefined) return skip('rdma-mtu', `${name}: no network device is known`);
  const active = [4096, 2048, 1024, 512, 256].find((size) => size + roceHeadersBytes <= mtuBytes);
  const evidence = [`network device MTU ${mtuBytes}: an RDMA MTU of ${active ?? 'none'}`];
  if (mtuBytes >= mtuBytesMin) return ok('rdma-mtu', `${name}: RDMA MTU ${active}`, evidence);
  const net = gids.find(({ netDevice }) => netDevice !== '')?.netDevice ?? 'DEVICE';
  return warn('rdma-mtu', {
    summary: `${name}: RDMA MTU ${active}: more packets for each needle than needed`,
    evidence,
    fix: [`ip link set ${net} mtu 9000, if every switch on the way takes it (or 4200)`],
  });
}

function deviceName(
  { devices, netDevices }: DeviceFacts,
  { value, from }: ChosenValue,
  nearest: Nearest,
): Finding {
  const ports = devices.flatMap((device) => device.ports.map(({ name }) => name));
  const names = [...ports, ...netDevices];
  const evidence = [`there are: ${names.join(', ') || 'none'}`];
  if (value === 'auto' || value === 'all') {
    return ok('device-name', 'UCX chooses among all devices', evidence);
  }
  const wanted = value.replace(/^\^/, '').split(',');
  const missing = wanted.filter((name) => !names.includes(name));
  if (missing.length === 0) return ok('device-name', `${from} = "${value}"`, evidence);
  const set = (name: string): string =>
    from.startsWith('UCX_') ? `export ${from}=${name}` : `set ${from} = "${name}"`;
  const [first, ...others] = missing.map((name) => {
    // A port of the same kind reads nearer than its letters say.
    const best = ports.length > 0 ? nearest(name, ports) : nearest(name, netDevices);
    return `"${name}" is not here; ${set(best ?? 'auto')} (the nearest), or "auto"`;
  });
  return fail('device-name', {
    summary: `${from}: no device ${missing.map((name) => `"${name}"`).join(', ')}`,
    evidence,
    fix: [first as string, ...others],
  });
}
