import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listenFault, secondAddress, sourceFaults, withMeaning } from './ucx-addresses.ts';
import type { Machine } from './ucx-devices.ts';

function row(address: string, internal = false): NetworkInterfaceInfo {
  return { address, internal } as NetworkInterfaceInfo;
}

const interfaces = {
  lo: [row('127.0.0.1', true), row('::1', true)],
  eth0: [row('fe80::1'), row('10.0.0.1'), row('10.0.0.2'), row('fd00::1'), row('fd00::2')],
  'eth0:1': [row('10.0.0.3')],
  'eth1:1': [row('10.0.0.4')],
};
const machine: Machine = { sysRoot: '/nowhere', environment: {}, interfaces: () => interfaces };
const auto = { tls: 'auto', deviceName: 'auto' };

describe('the first address of a device', () => {
  it.each(['10.0.0.1', 'fd00::1', '127.0.0.1', '192.168.0.1', '10.0.0.4'])('%s', (address) => {
    expect(secondAddress(address, interfaces)).toBeUndefined();
  });

  it.each([
    ['10.0.0.2', 'eth0', '10.0.0.1'],
    ['10.0.0.3', 'eth0', '10.0.0.1'],
    ['fd00::2', 'eth0', 'fd00::1'],
    ['127.0.0.9', 'lo', '127.0.0.1'],
  ])('is not %s of %s', (address, device, first) => {
    expect(secondAddress(address, interfaces)).toEqual({ address, device, first });
  });
});

describe('a target', () => {
  it('may listen at a second address, and is told that without TCP no other host connects', () => {
    expect(listenFault(auto, '10.0.0.2', machine)).toBeUndefined();
    expect(listenFault({ ...auto, tls: '^tcp' }, '10.0.0.2', machine)).toContain(
      'no RDMA port is up',
    );
    expect(listenFault({ ...auto, tls: '^tcp' }, '127.0.0.1', machine)).toBeUndefined();
    expect(listenFault(auto, '10.0.0.1', machine)).toBeUndefined();
  });

  it('on all of several devices is told that a proxy may take the wrong one', () => {
    expect(listenFault(auto, '0.0.0.0', machine)).toMatch(/offers eth0, eth1, .*rdma.device_name/);
    expect(listenFault(auto, '::', machine)).toBeUndefined();
    expect(listenFault({ ...auto, deviceName: 'eth0' }, '0.0.0.0', machine)).toBeUndefined();
    const chosen = { ...machine, environment: { UCX_NET_DEVICES: 'eth0' } };
    expect(listenFault(auto, '0.0.0.0', chosen)).toBeUndefined();
  });

  it('at an address of no RDMA port is told, where RDMA alone is allowed', () => {
    const sysRoot = mkdtempSync(join(tmpdir(), 'ucx-addresses-'));
    const port = join(sysRoot, 'class/infiniband/rxe0/ports/1');
    for (const folder of ['gids', 'gid_attrs/types'])
      mkdirSync(join(port, folder), { recursive: true });
    writeFileSync(join(port, 'state'), '4: ACTIVE\n');
    writeFileSync(join(port, 'link_layer'), 'Ethernet\n');
    writeFileSync(join(port, 'gids/1'), '0000:0000:0000:0000:0000:ffff:0a00:0004\n');
    writeFileSync(join(port, 'gid_attrs/types/1'), 'RoCE v2\n');
    const here = { ...machine, sysRoot };
    const rdma = { ...auto, tls: 'rc' };
    expect(listenFault(rdma, '10.0.0.1', here)).toMatch(
      /"10.0.0.1" is no address of rxe0:1, .* Set rdma.listen to 10.0.0.4/,
    );
    expect(listenFault(rdma, '10.0.0.4', here)).toBeUndefined();
    expect(listenFault(rdma, '0.0.0.0', here)).toBeUndefined();
    expect(listenFault(auto, '10.0.0.1', here)).toBeUndefined();
    rmSync(sysRoot, { recursive: true });
  });

  it('on loopback with RDMA alone is told that no proxy can connect', () => {
    for (const tls of ['rc', 'rc_verbs,ud', 'ib,self']) {
      expect(listenFault({ ...auto, tls }, '127.0.0.1', machine)).toContain('RDMA alone');
      expect(listenFault({ ...auto, tls }, '10.0.0.1', machine)).toContain('no RDMA port is up');
    }
    for (const tls of ['auto', 'rc,tcp', 'rc,sm', '^ib', 'tcp']) {
      expect(listenFault({ ...auto, tls }, '127.0.0.1', machine)).toBeUndefined();
    }
    const chosen = { ...machine, environment: { UCX_TLS: 'rc' } };
    expect(listenFault(auto, '127.0.0.1', chosen)).toContain('RDMA alone');
  });
});

describe('a proxy', () => {
  it('is told of the address that it comes from', async () => {
    const swapped = { lo: [row('127.0.0.7', true), row('127.0.0.1', true)] };
    const other = { ...machine, interfaces: () => swapped };
    const [fault] = await sourceFaults(auto, ['127.0.0.1'], other);
    expect(fault).toMatch(/reached from 127.0.0.1: .*not the first address of lo.*src 127.0.0.7/);
    expect(await sourceFaults(auto, ['127.0.0.1', 'nowhere.invalid'], machine)).toEqual([]);
    expect(await sourceFaults({ tls: 'posix' }, ['127.0.0.1'], other)).toEqual([]);
  });

  it('reads what UCX says with its meaning', () => {
    expect(withMeaning('Operation rejected by remote peer')).toContain('NAT');
    expect(withMeaning('Destination is unreachable')).toContain('no transport in common');
    expect(withMeaning('Endpoint timeout')).toContain('UCX ports');
    expect(withMeaning('Endpoint is not connected')).toContain('without NAT');
    expect(withMeaning('Input/output error')).toBe('Input/output error');
  });
});
