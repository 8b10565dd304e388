import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { NetworkInterfaceInfo } from 'node:os';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { devicesToListen, devicesToReach, type Machine, refuseExposed } from './ucx-devices.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function row(address: string, internal = false): NetworkInterfaceInfo {
  return { address, internal } as NetworkInterfaceInfo;
}

/** `ports`: RDMA ports by their state. */
function machine(
  ports: Readonly<Record<string, string>> = {},
  environment: NodeJS.ProcessEnv = {},
): Machine {
  const sysRoot = mkdtempSync(join(tmpdir(), 'seaweed-rdma-sys-'));
  folders.push(sysRoot);
  for (const [name, state] of Object.entries(ports)) {
    const [device = '', port = ''] = name.split(':');
    const folder = join(sysRoot, 'class', 'infiniband', device, 'ports', port);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'state'), `${state}\n`);
  }
  const interfaces = {
    lo: [row('127.0.0.1', true), row('::1', true)],
    eth0: [row('10.0.0.1'), row('fe80::1%eth0')],
    'eth0:1': [row('10.0.0.2')],
    eth1: [row('192.168.0.1')],
  };
  return { sysRoot, environment, interfaces: () => interfaces };
}

const auto = { deviceName: 'auto', tls: 'auto', isNetworkTrusted: true };

describe('the devices of a role that listens', () => {
  it('are all of them where "all" is among the names', () => {
    for (const deviceName of ['all', 'lo,all', 'all, lo']) {
      const choice = { ...auto, deviceName };
      const { exposed } = devicesToListen(choice, '127.0.0.1', machine());
      expect(exposed).toEqual(['eth0', 'eth0:1', 'eth1']);
    }
    const environment = { UCX_NET_DEVICES: 'lo,all' };
    expect(devicesToListen(auto, '127.0.0.1', machine({}, environment)).exposed).toHaveLength(3);
  });

  it('are beyond loopback where lo has an address that others route to', () => {
    const base = machine();
    const interfaces = { lo: [row('127.0.0.1', true), row('::1', true), row('fd99::1', true)] };
    const routed = { ...base, interfaces: () => interfaces };
    expect(devicesToListen(auto, 'fd99::1', routed)).toEqual({ deviceName: 'lo', exposed: ['lo'] });
    expect(devicesToListen(auto, '127.0.0.1', routed)).toEqual({ deviceName: 'lo', exposed: [] });
  });

  it('are beyond loopback where the first address of lo is one that others route to', () => {
    const interfaces = { lo: [row('10.9.9.9', true), row('127.0.0.1', true)] };
    const routed = { ...machine(), interfaces: () => interfaces };
    expect(devicesToListen(auto, '127.0.0.1', routed).exposed).toEqual(['lo']);
    const labelled = { 'lo:a': [row('127.0.0.1', true)], lo: [row('10.9.9.9', true)] };
    const hidden = { ...routed, interfaces: () => labelled };
    expect(devicesToListen(auto, '127.0.0.1', hidden).exposed).toEqual(['lo']);
    const first = { ...routed, interfaces: () => ({ lo: interfaces.lo.toReversed() }) };
    expect(devicesToListen(auto, '127.0.0.1', first).exposed).toEqual([]);
  });

  it('are as with "auto" where a key is empty', () => {
    const empty = { deviceName: '', tls: '', isNetworkTrusted: false };
    expect(devicesToListen(empty, '127.0.0.1', machine())).toEqual({
      deviceName: 'lo',
      exposed: [],
    });
    expect(devicesToListen(empty, '10.0.0.1', machine()).exposed).toEqual(['eth0']);
  });

  it('are exposed where one that is named is not up yet', () => {
    const base = machine();
    mkdirSync(join(base.sysRoot, 'class', 'net', 'eth9'), { recursive: true });
    const choice = { ...auto, deviceName: 'eth9,mlx5_0:1,nothing' };
    expect(devicesToListen(choice, '127.0.0.1', base).exposed).toEqual(['eth9']);
  });

  it.each([
    ['127.0.0.1', 'lo', []],
    ['127.0.0.9', 'lo', []],
    ['::1', 'lo', []],
    ['10.0.0.1', 'eth0', ['eth0']],
    ['10.0.0.2', 'eth0', ['eth0']],
    ['192.168.0.1', 'eth1', ['eth1']],
    ['0.0.0.0', 'auto', ['eth0', 'eth0:1', 'eth1']],
    ['::', 'auto', ['eth0', 'eth0:1', 'eth1']],
  ])('of %s are %s', (host, deviceName, exposed) => {
    expect(devicesToListen(auto, host, machine())).toEqual({ deviceName, exposed });
  });

  it('are also the RDMA ports that are up', () => {
    const withPorts = machine({ 'mlx5_0:1': '4: ACTIVE', 'mlx5_1:1': '1: DOWN' });
    expect(devicesToListen(auto, '127.0.0.1', withPorts).deviceName).toBe('lo,mlx5_0:1');
    const tcp = { ...auto, deviceName: 'auto', tls: 'tcp' };
    expect(devicesToListen(tcp, '127.0.0.1', withPorts).deviceName).toBe('lo');
  });

  it('leave out TCP beyond loopback beside RDMA, unless the network is trusted', () => {
    const withPorts = machine({ 'mlx5_0:1': '4: ACTIVE' });
    const untrusted = { ...auto, isNetworkTrusted: false };
    const alone = { deviceName: 'lo,mlx5_0:1', exposed: [] };
    expect(devicesToListen(untrusted, '10.0.0.1', withPorts)).toEqual(alone);
    expect(devicesToListen(untrusted, '0.0.0.0', withPorts)).toEqual(alone);
    expect(devicesToListen(auto, '10.0.0.1', withPorts)).toEqual({
      deviceName: 'eth0,mlx5_0:1',
      exposed: ['eth0'],
    });
  });

  it('beyond loopback are refused in a network that is not trusted', () => {
    const devices = devicesToListen({ ...auto, isNetworkTrusted: false }, '10.0.0.1', machine());
    expect(devices.exposed).toEqual(['eth0']);
    expect(() => refuseExposed(devices, false)).toThrow(
      /eth0.*rdma.ucx_tcp_trusted_network = true/s,
    );
    expect(() => refuseExposed(devices, true)).not.toThrow();
    expect(() => refuseExposed({ deviceName: 'lo', exposed: [] }, false)).not.toThrow();
  });

  it.each([
    ['what is configured', { ...auto, deviceName: 'eth1', tls: 'auto' }, {}, 'eth1', ['eth1']],
    ['all, if that', { ...auto, deviceName: 'all' }, {}, 'all', ['eth0', 'eth0:1', 'eth1']],
    ['its variable', auto, { UCX_NET_DEVICES: 'eth1,lo' }, 'auto', ['eth1']],
  ] as const)('are %s, where that is set', (_, choice, environment, deviceName, exposed) => {
    expect(devicesToListen(choice, '127.0.0.1', machine({}, environment))).toEqual({
      deviceName,
      exposed,
    });
  });

  it.each([
    [{ ...auto, deviceName: 'auto', tls: 'posix,cma' }, {}],
    [{ ...auto, deviceName: 'auto', tls: '^tcp' }, {}],
    [auto, { UCX_TLS: 'rc,sm' }],
  ])('are left to UCX where it opens no TCP port: %o %o', (choice, environment) => {
    expect(devicesToListen(choice, '10.0.0.1', machine({}, environment))).toEqual({
      deviceName: 'auto',
      exposed: [],
    });
  });
});

describe('the devices of a role that connects', () => {
  it('are those of the routes to its targets', async () => {
    expect(await devicesToReach(auto, ['127.0.0.1', '127.0.0.7'], machine())).toEqual({
      deviceName: 'lo',
      exposed: [],
      isIpv6: false,
    });
  });

  it.each([
    [['::1'], true],
    [['::1', '127.0.0.1'], false],
    [['127.0.0.1', 'nowhere.invalid'], false],
    [['nowhere.invalid'], false],
    [[], false],
  ])('speak IPv6 to targets that have nothing else: %j %s', async (hosts, isIpv6) => {
    expect((await devicesToReach(auto, hosts, machine())).isIpv6).toBe(isIpv6);
  });

  it('are loopback for no role', async () => {
    expect((await devicesToReach(auto, [], machine())).deviceName).toBe('lo');
  });

  it('are all where a name does not resolve', async () => {
    const devices = await devicesToReach(auto, ['127.0.0.1', 'nowhere.invalid'], machine());
    expect(devices.deviceName).toBe('auto');
  });

  it('are those that were looked at, where another may come up before UCX looks', async () => {
    const interfaces = { lo: [row('127.0.0.1', true)] };
    const early = { ...machine(), interfaces: () => interfaces };
    for (const deviceName of ['auto', 'all']) {
      const choice = { ...auto, deviceName, isNetworkTrusted: false };
      const devices = await devicesToReach(choice, ['nowhere.invalid'], early);
      expect(devices).toMatchObject({ deviceName: 'lo', exposed: [] });
    }
  });
});
