/**
 * Cables between RDMA ports of this machine: each is a pair of network devices with a RoCE device in software on both ends.
 * rdma_rxe receives in the first network namespace alone, so both ends are there, and rules of the routing send what goes
 * from one end to the other over the cable. Needs root, in a machine that is thrown away.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

export interface Cable {
  /** The network device at the near end; its RoCE device is `near`:1. */
  readonly nearDevice: string;
  readonly near: string;
  readonly nearAddress: string;
  readonly farDevice: string;
  readonly far: string;
  readonly farAddress: string;
  /** Of the kernel's routes to the far end; the next one is to the near end. */
  readonly table: number;
}

export interface Cables {
  readonly list: readonly Cable[];
  /** Has both ends drop UDP packets to RoCE's port, or no more. */
  fireWall(cable: Cable, isUp: boolean): void;
  /** The MTU of both ends, and the longest packet that comes through between them. */
  setMtu(cable: Cable, ends: number, between: number): void;
  /** The share of packets that get lost on the way, in each direction; 0: none. */
  lose(cable: Cable, percent: number): void;
  /** Routes what is sent to the far end by another network device; undefined: by the cable. */
  detour(cable: Cable, device: string | undefined): void;
  /** Takes the ports down; rdma_rxe of Linux 6.1 may never end where a device is deleted that had a session. */
  remove(): void;
}

/** @param names one for each cable, of up to 8 letters; of none that was made before */
export function makeCables(...names: readonly string[]): Cables {
  const list = names.map(cableOf);
  // Rules of the tests come before the table of local addresses, which would send nothing over a cable.
  spawnSync('ip', ['rule', 'add', 'pref', '1000', 'lookup', 'local']);
  spawnSync('ip', ['rule', 'del', 'pref', '0']);
  for (const where of ['all', 'default']) {
    must(`sysctl -qw net.ipv4.conf.${where}.accept_local=1`);
    must(`sysctl -qw net.ipv4.conf.${where}.rp_filter=0`);
  }
  must('nft add table inet cables');
  must('nft add chain inet cables in { type filter hook input priority 0; }');
  for (const cable of list) lay(cable);
  return {
    list,
    fireWall: (cable, isUp) => dropAtEnds(cable, isUp ? 'udp dport 4791' : undefined),
    setMtu(cable, mtu, between) {
      for (const device of [cable.nearDevice, cable.farDevice])
        must(`ip link set ${device} mtu ${mtu}`);
      dropAtEnds(cable, between < mtu ? `meta length > ${between}` : undefined);
    },
    lose({ nearDevice, farDevice }, percent) {
      for (const device of [nearDevice, farDevice])
        must(`tc qdisc replace dev ${device} root netem loss ${percent}%`);
    },
    detour(cable, device) {
      if (device === undefined) route(cable);
      else must(`ip route replace ${cable.farAddress} dev ${device} table ${cable.table}`);
    },
    remove() {
      for (const { nearDevice, farDevice } of list) {
        must(`ip link set ${nearDevice} down`);
        must(`ip link set ${farDevice} down`);
      }
      must('nft delete table inet cables');
    },
  };
}

function cableOf(name: string, index: number): Cable {
  // Other test files have made cables before, and those stay.
  const number = 20 + readdirSync('/sys/class/infiniband').length + index;
  return {
    nearDevice: `${name}n`,
    near: `rx${name}n`,
    nearAddress: `10.9.${number}.1`,
    farDevice: `${name}f`,
    far: `rx${name}f`,
    farAddress: `10.9.${number}.2`,
    table: 1_000 + 2 * number,
  };
}

function lay(cable: Cable): void {
  const { nearDevice, near, nearAddress, farDevice, far, farAddress } = cable;
  must(`ip link add ${nearDevice} type veth peer name ${farDevice}`);
  for (const [device, address] of [
    [nearDevice, nearAddress],
    [farDevice, farAddress],
  ]) {
    must(`ip addr add ${address}/24 dev ${device}`);
    must(`ip link set ${device} up`);
  }
  for (const [to, out, table] of [
    [farAddress, nearDevice, cable.table],
    [nearAddress, farDevice, cable.table + 1],
  ]) {
    // What is sent from here, and what rdma_cm asks of a device: whether its peer is behind it.
    must(`ip rule add pref 10 to ${to} iif lo lookup ${table}`);
    must(`ip rule add pref 11 to ${to} oif ${out} lookup ${table}`);
  }
  route(cable);
  must(`rdma link add ${near} type rxe netdev ${nearDevice}`);
  must(`rdma link add ${far} type rxe netdev ${farDevice}`);
}

/** `packets`: what both ends drop of what comes in, in nft's words; undefined: nothing. */
function dropAtEnds({ nearDevice, farDevice }: Cable, packets: string | undefined): void {
  must('nft flush chain inet cables in');
  if (packets === undefined) return;
  must(`nft add rule inet cables in iifname { ${nearDevice}, ${farDevice} } ${packets} drop`);
}

function route(cable: Cable): void {
  const { nearDevice, nearAddress, farDevice, farAddress, table } = cable;
  must(`ip route replace ${farAddress} dev ${nearDevice} src ${nearAddress} table ${table}`);
  must(`ip route replace ${nearAddress} dev ${farDevice} src ${farAddress} table ${table + 1}`);
}

function must(line: string): void {
  const [command = '', ...words] = line.split(' ').filter((word) => word !== '');
  const { error, status, stderr } = spawnSync(command, words, { encoding: 'latin1' });
  if (error !== undefined || status !== 0)
    throw new Error(`${line}: ${error?.message ?? stderr.trim()}`);
}
