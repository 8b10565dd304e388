import { describe, expect, test } from 'vitest';
import {
  infiniband,
  machine,
  meminfo,
  processTree,
  type Tree,
} from '../../../test/unit/doctor-machines.ts';
import { settingsWith } from '../../../test/unit/doctor-settings.ts';
import type { CheckName, Finding } from './check.ts';
import { gatherDevices } from './devices.ts';
import { judgeLimits } from './limits.ts';
import { gatherMemory, judgeMemory } from './memory.ts';
import { gatherProcess } from './processes.ts';
import type { Settings } from './setup.ts';

const arena = 512 * 2 ** 20;

function look(sys: Tree, proc: Tree, settings: Settings, pid?: number): readonly Finding[] {
  const roots = { sys: machine(sys), proc: machine(proc) };
  const process = gatherProcess(roots.proc, pid, settings.role);
  const { devices } = gatherDevices(roots.sys);
  return [
    ...judgeMemory(gatherMemory(roots, process), settings, devices),
    ...judgeLimits(process, settings, 0),
  ];
}

function one(findings: readonly Finding[], name: CheckName): Finding {
  return findings.find((finding) => finding.name === name) as Finding;
}

const proxy = settingsWith({});
const plain = { ...meminfo(0), ...processTree('self', '8388608', '1048576') };

describe('memlock', () => {
  test('fails beside an RDMA device, and is a warning without one', () => {
    const found = one(look(infiniband(), plain, proxy), 'memlock');
    expect(found.result).toBe('fail');
    expect(found.summary).toBe('8 MiB may be locked, memory.size needs 512 MiB');
    expect(one(look({}, plain, proxy), 'memlock').result).toBe('warn');
  });

  test('does not matter with CAP_IPC_LOCK, nor when unlimited', () => {
    const status = 'CapEff:\t0000000000004000\nMems_allowed_list:\t0';
    const able = { ...plain, 'self/status': status };
    expect(one(look(infiniband(), able, proxy), 'memlock').summary).toContain('CAP_IPC_LOCK');
    const unlimited = { ...plain, ...processTree('self', 'unlimited', '1024') };
    expect(one(look(infiniband(), unlimited, proxy), 'memlock').result).toBe('ok');
  });

  test('is that of the running role, not of the shell', () => {
    const both = { ...plain, ...processTree(77, 'unlimited', '1048576') };
    const found = one(look(infiniband(), both, proxy, 77), 'memlock');
    expect(found.result).toBe('ok');
    expect(found.evidence[0]).toContain('the running proxy (pid 77): unlimited');
  });
});

describe('hugepages', () => {
  const withKind = (hugepages: 'try' | 'require' | 'off'): Settings =>
    settingsWith({ memory: { ...proxy.memory, hugepages } });

  test('fail when they are required and too few are free, with the count to reserve', () => {
    const proc = { ...plain, ...meminfo(100) };
    const found = one(look({}, proc, withKind('require')), 'hugepages');
    expect(found.result).toBe('fail');
    // 924 are taken by others, the arena needs 256.
    expect(found.fix[0]).toContain('vm.nr_hugepages=1180');
    expect(found.fix[1]).toContain('memory.hugepages = "try"');
  });

  test('are enough, are taken by the running role, or are not asked for', () => {
    const enough = { ...plain, ...meminfo(256) };
    expect(one(look({}, enough, withKind('require')), 'hugepages').result).toBe('ok');
    const running = { ...plain, ...processTree(77, '0', '1024') };
    expect(one(look({}, running, withKind('require'), 77), 'hugepages').result).toBe('ok');
    expect(one(look({}, plain, withKind('off')), 'hugepages').result).toBe('ok');
  });

  test('fail when they are required and the control group allows none of the free ones', () => {
    const proc = { ...plain, ...meminfo(512), 'self/cgroup': '0::/kubepods/pod1' };
    const none = { 'fs/cgroup/kubepods/pod1/hugetlb.2MB.max': '0' };
    const found = one(look(none, proc, withKind('require')), 'hugepages');
    expect(found.result).toBe('fail');
    expect(found.fix[0]).toContain('hugepages-2Mi: 512Mi');
    expect(one(look(none, proc, withKind('try')), 'hugepages').result).toBe('ok');
  });

  test('are worth a warning when there are no transparent ones either', () => {
    const never = { 'kernel/mm/transparent_hugepage/enabled': 'always madvise [never]' };
    expect(one(look(never, plain, withKind('try')), 'hugepages').result).toBe('warn');
    const madvise = { 'kernel/mm/transparent_hugepage/enabled': 'always [madvise] never' };
    expect(one(look(madvise, plain, withKind('try')), 'hugepages').result).toBe('ok');
  });
});

describe('memory-size', () => {
  test('fails when a control group above the process is too small for the arena', () => {
    const proc = { ...plain, 'self/cgroup': '0::/kubepods/pod1/container1' };
    const pod = { 'fs/cgroup/kubepods/pod1/memory.max': String(arena) };
    const found = one(look(pod, proc, proxy), 'memory-size');
    expect(found.result).toBe('fail');
    expect(found.fix[0]).toContain('resources.limits.memory of 768 MiB');
    const unlimited = { 'fs/cgroup/kubepods/pod1/memory.max': 'max' };
    expect(one(look(unlimited, proc, proxy), 'memory-size').result).toBe('ok');
  });

  test('leaves an arena of reserved hugepages out: the control group does not count them', () => {
    const require = settingsWith({ memory: { ...proxy.memory, hugepages: 'require' } });
    const proc = { ...plain, 'self/cgroup': '0::/pod1' };
    const small = { ...proc, meminfo: 'MemTotal: 500000 kB\nMemAvailable: 400000 kB' };
    const pod = (bytes: number): Tree => ({ 'fs/cgroup/pod1/memory.max': String(bytes) });
    expect(one(look(pod(arena), small, require), 'memory-size').result).toBe('ok');
    const found = one(look(pod(arena / 4), proc, require), 'memory-size');
    expect(found.fix).toEqual([expect.stringContaining('resources.limits.memory of 256 MiB')]);
  });

  test('reads the one file of version 1, where no limit is a number near 2^63', () => {
    const proc = { ...plain, 'self/cgroup': '4:memory:/docker/abc' };
    const file = 'fs/cgroup/memory/memory.limit_in_bytes';
    expect(one(look({ [file]: '9223372036854771712' }, proc, proxy), 'memory-size').result).toBe(
      'ok',
    );
    expect(one(look({ [file]: '268435456' }, proc, proxy), 'memory-size').result).toBe('fail');
  });

  test('fails when the machine has less than the arena', () => {
    const small = { ...plain, meminfo: 'MemTotal: 500000 kB\nMemAvailable: 400000 kB' };
    expect(one(look({}, small, proxy), 'memory-size').fix[0]).toBe('a smaller memory.size');
  });
});

describe('numa', () => {
  const nodes = { 'devices/system/node/node0/x': '', 'devices/system/node/node1/x': '' };

  test('warns when the process may not use the memory beside the device', () => {
    const found = one(look({ ...infiniband(), ...nodes }, plain, proxy), 'numa');
    expect(found.result).toBe('warn');
    expect(found.fix[0]).toContain('numactl --cpunodebind=1 --membind=1');
  });

  test('is fine when it may, and with one node', () => {
    const status = 'CapEff:\t0\nMems_allowed_list:\t0-1';
    const both = { ...plain, 'self/status': status };
    expect(one(look({ ...infiniband(), ...nodes }, both, proxy), 'numa').result).toBe('ok');
    expect(one(look(infiniband(), plain, proxy), 'numa').result).toBe('ok');
  });
});

describe('descriptors', () => {
  const withLimit = (openFiles: string, settings: Settings): Finding =>
    one(look({}, { ...plain, ...processTree('self', '0', openFiles) }, settings), 'descriptors');

  test('fail below the connections, warn below what the program needs beside them', () => {
    expect(withLimit('1024', proxy).result).toBe('fail');
    expect(withLimit('20000', proxy).result).toBe('warn');
    expect(withLimit('22756', proxy).result).toBe('ok');
    expect(withLimit('unlimited', proxy).result).toBe('ok');
    expect(withLimit('1024', proxy).fix[0]).toContain('LimitNOFILE=42756');
  });

  test('of a target are those of sessions and volumes', () => {
    const descriptors = { key: 'rdma.max_sessions', count: 1000 };
    const target = settingsWith({ role: 'target', descriptors });
    expect(withLimit('1256', target).result).toBe('ok');
    expect(withLimit('512', target).fix[0]).toContain('LimitNOFILE=2256');
    const facts = gatherProcess(machine(processTree('self', '0', '4096')), undefined, 'target');
    const [finding] = judgeLimits(facts, target, 3000);
    expect(finding).toMatchObject({ result: 'fail' });
    expect(finding?.summary).toContain('3000 volumes');
    expect(finding?.fix[0]).toContain('LimitNOFILE=8256');
  });
});
