import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { NetworkInterfaceInfo } from 'node:os';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isNear, waysOf } from './rail-ways.ts';

let sysRoot = '';

beforeEach(() => {
  sysRoot = mkdtempSync(join(tmpdir(), 'rail-ways-'));
});

afterEach(() => rmSync(sysRoot, { recursive: true }));

function put(path: string, text: string): void {
  const file = join(sysRoot, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function row(cidr: string): NetworkInterfaceInfo {
  const [address = ''] = cidr.split('/');
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  return { address, cidr, family, netmask: '', mac: '', internal: false } as NetworkInterfaceInfo;
}

const interfaces = {
  eth0: [row('10.0.1.1/24'), row('fe80::1/64'), row('fd00:1::1/64')],
  eth1: [row('10.0.2.1/24')],
  'eth1:1': [row('10.0.3.1/24')],
};
const places = [
  { host: '10.0.1.2', port: 18515 },
  { host: '10.0.2.2', port: 18516 },
];

describe('the way of a rail', () => {
  test('leads from the address of its device to that of the target in the same network', () => {
    expect(waysOf('eth0', places, interfaces, sysRoot)).toEqual([
      { host: '10.0.1.2', port: 18515, from: '10.0.1.1' },
    ]);
    expect(waysOf('eth1', places, interfaces, sysRoot)).toEqual([
      { host: '10.0.2.2', port: 18516, from: '10.0.2.1' },
    ]);
    const ipv6 = [{ host: 'fd00:1::2', port: 18515 }];
    expect(waysOf('eth0', ipv6, interfaces, sysRoot)).toEqual([
      { host: 'fd00:1::2', port: 18515, from: 'fd00:1::1' },
    ]);
  });

  test('leads to every address of the family where none is in its network', () => {
    const far = [{ host: '192.0.2.7', port: 1 }];
    expect(waysOf('eth1', far, interfaces, sysRoot)).toEqual([
      { host: '192.0.2.7', port: 1, from: '10.0.2.1' },
      { host: '192.0.2.7', port: 1, from: '10.0.3.1' },
    ]);
  });

  test('may be given by the address', () => {
    expect(waysOf('10.0.3.1', places, interfaces, sysRoot).map(({ from }) => from)).toEqual([
      '10.0.3.1',
      '10.0.3.1',
    ]);
  });

  test('is there for no device that this host does not have', () => {
    expect(waysOf('eth7', places, interfaces, sysRoot)).toEqual([]);
    expect(waysOf('eth1', [{ host: 'fd00:1::2', port: 1 }], interfaces, sysRoot)).toEqual([]);
  });

  test('of an RDMA port is that of its network device', () => {
    put('class/infiniband/mlx5_0/ports/1/gid_attrs/ndevs/0', 'eth1\n');
    put('class/infiniband/mlx5_0/ports/1/gid_attrs/ndevs/1', '');
    expect(waysOf('mlx5_0:1', places, interfaces, sysRoot)).toEqual([
      { host: '10.0.2.2', port: 18516, from: '10.0.2.1' },
    ]);
  });
});

describe('a device is near', () => {
  beforeEach(() => {
    put('class/infiniband/mlx5_0/device/numa_node', '1\n');
    put('class/net/eth0/device/numa_node', '0\n');
    put('class/net/eth1/device/numa_node', '-1\n');
    put('devices/system/node/node0/cpulist', '0-3,8-11\n');
    put('devices/system/node/node1/cpulist', '4-7,12-15\n');
  });

  test.each([
    ['mlx5_0:1', '4-5', true],
    ['mlx5_0:1', '0-3', false],
    ['mlx5_0:1', '0-15', true],
    ['eth0', '9', true],
    ['eth0', '12', false],
    ['eth1', '12', true],
    ['none', '0', true],
  ])('%s to a process on processors %s: %s', (device, processors, expected) => {
    expect(isNear(device, sysRoot, processors)).toBe(expected);
  });
});
