import { describe, expect, test } from 'vitest';
import { infiniband, machine, roce, type Tree } from '../../../test/unit/doctor-machines.ts';
import { nearestKey } from '../../config/nearest-key.ts';
import type { Finding } from './check.ts';
import { gatherDevices, judgeDevices } from './devices.ts';
import { linkRate } from './speed.ts';
import type { ChosenValue } from './ucx.ts';

const auto: ChosenValue = { value: 'auto', from: '' };

function judge(trees: readonly Tree[], deviceName = auto, gidIndex?: string): readonly Finding[] {
  return judgeDevices(gatherDevices(machine(...trees)), { deviceName, gidIndex }, nearestKey);
}

function one(findings: readonly Finding[], name: string): Finding {
  const found = findings.filter((finding) => finding.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Finding;
}

function chosen(value: string): ChosenValue {
  return { value, from: 'rdma.device_name' };
}

describe('a machine with InfiniBand', () => {
  test('is sound with an active port', () => {
    const findings = judge([infiniband()]);
    expect(findings.filter(({ result }) => result === 'fail' || result === 'warn')).toEqual([]);
    expect(one(findings, 'rdma-devices').evidence[0]).toContain('20.35.1012, NUMA node 1');
    expect(one(findings, 'rdma-port').summary).toContain('100 Gb/sec (4X EDR)');
    expect(one(findings, 'rdma-gid').evidence).toHaveLength(1);
  });

  test('without a subnet manager has a port that only initializes', () => {
    const state = { 'class/infiniband/mlx5_0/ports/1/state': '2: INIT' };
    const { result, fix } = one(judge([infiniband(state)]), 'rdma-port');
    expect(result).toBe('fail');
    expect(fix[0]).toContain('opensm');
  });

  test('needs the name of a port, not of a device alone', () => {
    const finding = one(judge([infiniband()], chosen('mlx5_0')), 'device-name');
    expect(finding.fix[0]).toContain('rdma.device_name = "mlx5_0:1"');
    expect(one(judge([infiniband()], chosen('mlx5_0:1')), 'device-name').result).toBe('ok');
  });

  test('tells the rate of its link', () => {
    const root = machine(infiniband());
    const rate = linkRate(root, gatherDevices(root));
    expect(rate).toEqual({ name: 'mlx5_0:1', bitsPerSecond: 100e9 });
  });
});

describe('a machine with RoCE', () => {
  test('has a GID of version 2, of an IPv4 address where there is one', () => {
    const finding = one(judge([roce()]), 'rdma-gid');
    expect(finding.summary).toBe('mlx5_2:1: RoCE v2 at index 3');
    expect(finding.evidence).toHaveLength(4);
  });

  test('with version 1 alone is warned of', () => {
    const types = 'class/infiniband/mlx5_2/ports/1/gid_attrs/types';
    const old = { [`${types}/1`]: 'IB/RoCE v1', [`${types}/3`]: 'IB/RoCE v1' };
    const { result, fix } = one(judge([roce(old)]), 'rdma-gid');
    expect(result).toBe('warn');
    expect(fix.join()).toContain('cma_roce_mode -d mlx5_2 -p 1');
  });

  test('with UCX_IB_GID_INDEX of another version fails, and names the better one', () => {
    const { result, fix } = one(judge([roce()], auto, '2'), 'rdma-gid');
    expect(result).toBe('fail');
    expect(fix[0]).toContain('UCX_IB_GID_INDEX=3');
    expect(one(judge([roce()], auto, '4'), 'rdma-gid').summary).toContain('is empty');
  });

  test('with an MTU of 1500 sends four times the packets', () => {
    const { result, summary, fix } = one(judge([roce()]), 'rdma-mtu');
    expect(result).toBe('warn');
    expect(summary).toContain('RDMA MTU 1024');
    expect(fix[0]).toContain('ip link set ens1f0np0 mtu');
    const jumbo = { 'class/net/ens1f0np0/mtu': '9000' };
    expect(one(judge([roce(jumbo)]), 'rdma-mtu').summary).toContain('RDMA MTU 4096');
  });

  test('whose port is down fails, unless another device is up and it was not asked for', () => {
    const down = {
      'class/infiniband/mlx5_2/ports/1/state': '1: DOWN',
      'class/infiniband/mlx5_2/ports/1/phys_state': '3: Disabled',
    };
    const { result, fix } = one(judge([roce(down)]), 'rdma-port');
    expect(result).toBe('fail');
    expect(fix[0]).toContain('ip link set ens1f0np0 up');
    const beside = judge([roce(down), infiniband()]).filter(({ name }) => name === 'rdma-port');
    expect(beside.map((finding) => finding.result)).toEqual(['ok', 'warn']);
    const wanted = judge([roce(down), infiniband()], chosen('mlx5_2:1'));
    const ports = wanted.filter(({ name }) => name === 'rdma-port');
    expect(ports.map((finding) => finding.result)).toEqual(['ok', 'fail']);
  });

  test('whose network device has no address has no GID', () => {
    const gids = 'class/infiniband/mlx5_2/ports/1/gids';
    const empty = '0000:0000:0000:0000:0000:0000:0000:0000';
    const none = Object.fromEntries([0, 1, 2, 3].map((index) => [`${gids}/${index}`, empty]));
    const { result, fix } = one(judge([roce(none)]), 'rdma-gid');
    expect(result).toBe('fail');
    expect(fix[0]).toContain('ip addr add');
  });
});

test('a machine without RDMA devices says what it would check, and fails nothing', () => {
  const findings = judge([{ 'class/net/eth0/mtu': '1500' }], chosen('eth0'));
  expect(findings.map(({ result }) => result)).toEqual(['skip', 'skip', 'skip', 'skip', 'ok']);
  expect(one(findings, 'rdma-gid').evidence[0]).toContain('would check');
});

test('a list of devices fails for the one that is not there', () => {
  const finding = one(judge([roce(), infiniband()], chosen('mlx5_0:1,mlx5_3:1')), 'device-name');
  expect(finding.summary).toBe('rdma.device_name: no device "mlx5_3:1"');
  expect(finding.fix).toHaveLength(1);
});
