/** Other machines for the doctor: trees of /sys and /proc as their kernels show them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

export type Tree = Readonly<Record<string, string>>;

const roots: string[] = [];

// Not where a machine is made: a hook that is made while a test runs is none of the file's.
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

/** Returns the root; gone when the file's tests are over. */
export function machine(...trees: readonly Tree[]): string {
  const root = mkdtempSync(join(tmpdir(), 'seaweed-rdma-machine-'));
  roots.push(root);
  for (const tree of trees) {
    for (const [path, content] of Object.entries(tree)) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${content}\n`);
    }
  }
  return root;
}

const emptyGid = '0000:0000:0000:0000:0000:0000:0000:0000';

/** A ConnectX of InfiniBand, its port active at EDR. */
export function infiniband(changes: Tree = {}): Tree {
  const device = 'class/infiniband/mlx5_0';
  return {
    [`${device}/fw_ver`]: '20.35.1012',
    [`${device}/device/numa_node`]: '1',
    [`${device}/ports/1/state`]: '4: ACTIVE',
    [`${device}/ports/1/phys_state`]: '5: LinkUp',
    [`${device}/ports/1/link_layer`]: 'InfiniBand',
    [`${device}/ports/1/rate`]: '100 Gb/sec (4X EDR)',
    [`${device}/ports/1/gids/0`]: 'fe80:0000:0000:0000:b859:9f03:00d4:1f2a',
    [`${device}/ports/1/gids/1`]: emptyGid,
    [`${device}/ports/1/gid_attrs/types/0`]: 'IB/RoCE v1',
    ...changes,
  };
}

/** A ConnectX of Ethernet: RoCE v1 and v2, link-local and IPv4, MTU 1500. */
export function roce(changes: Tree = {}): Tree {
  const port = 'class/infiniband/mlx5_2/ports/1';
  const linkLocal = 'fe80:0000:0000:0000:0e42:a1ff:fe5b:3c10';
  const ipv4 = '0000:0000:0000:0000:0000:ffff:0a00:0105';
  const gids = [linkLocal, linkLocal, ipv4, ipv4, emptyGid];
  const attributes = gids.slice(0, 4).flatMap((_gid, index) => [
    [`${port}/gid_attrs/types/${index}`, index % 2 === 0 ? 'IB/RoCE v1' : 'RoCE v2'],
    [`${port}/gid_attrs/ndevs/${index}`, 'ens1f0np0'],
  ]);
  return {
    'class/infiniband/mlx5_2/fw_ver': '22.31.2006',
    'class/infiniband/mlx5_2/device/numa_node': '0',
    [`${port}/state`]: '4: ACTIVE',
    [`${port}/phys_state`]: '5: LinkUp',
    [`${port}/link_layer`]: 'Ethernet',
    [`${port}/rate`]: '25 Gb/sec (1X EDR)',
    ...Object.fromEntries(gids.map((gid, index) => [`${port}/gids/${index}`, gid])),
    ...(Object.fromEntries(attributes) as Tree),
    'class/net/ens1f0np0/mtu': '1500',
    'class/net/ens1f0np0/speed': '25000',
    'class/net/lo/mtu': '65536',
    ...changes,
  };
}

/** Limits and capabilities of one process, as /proc/PID shows them. */
export function processTree(pid: number | 'self', memlock: string, openFiles: string): Tree {
  return {
    [`${pid}/limits`]: `Limit                     Soft Limit           Hard Limit           Units
Max open files            ${openFiles.padEnd(20)} 1048576              files
Max locked memory         ${memlock.padEnd(20)} ${memlock.padEnd(20)} bytes`,
    [`${pid}/status`]: 'Name:\tnode\nCapEff:\t0000000000000000\nMems_allowed_list:\t0',
  };
}

export function meminfo(hugepagesFree: number): Tree {
  return {
    meminfo: `MemTotal:       131923456 kB
MemAvailable:   120000000 kB
HugePages_Total:    1024
HugePages_Free:     ${hugepagesFree}
Hugepagesize:       2048 kB`,
  };
}
