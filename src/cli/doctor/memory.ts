/** Layer 5: locked memory, hugepages, how much there is, and NUMA. */
import { join } from 'node:path';
import { entriesOf, readLine, readText } from '../../rdma/machine-files.ts';
import { gatherShm, type ShmRoom } from '../../rdma/shared-memory.ts';
import { gatherSysv, type SysvRoom } from '../../rdma/sysv-memory.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { RdmaDevice } from './devices.ts';
import { formatBytes } from './format-bytes.ts';
import type { ProcessFacts } from './processes.ts';
import type { Settings } from './setup.ts';
import { judgeSharedMemory } from './shared-memory.ts';

export interface MemoryFacts {
  readonly process: ProcessFacts;
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly hugepageBytes: number;
  readonly hugepagesTotal: number;
  readonly hugepagesFree: number;
  /** "always", "madvise", "never" or "unknown". */
  readonly transparent: string;
  /** The tightest of the process' control groups; undefined: no limit is known. */
  readonly groupLimitBytes: number | undefined;
  /** Limit of the container's hugepages: without `hugepages-2Mi` a container may have none of the host's. */
  readonly hugepageLimitBytes: number | undefined;
  /** undefined: there is no /dev/shm. */
  readonly shm: ShmRoom | undefined;
  /** undefined: the kernel tells of no System V shared memory. */
  readonly sysv: SysvRoom | undefined;
  readonly nodes: readonly number[];
}

export function gatherMemory(
  roots: { readonly sys: string; readonly proc: string },
  process: ProcessFacts,
): MemoryFacts {
  const meminfo = readText(join(roots.proc, 'meminfo')) ?? '';
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
  const thp = readText(join(roots.sys, 'kernel/mm/transparent_hugepage/enabled')) ?? '';
  const nodes = entriesOf(join(roots.sys, 'devices/system/node'));
  return {
    process,
    totalBytes: field('MemTotal') * 1024,
    availableBytes: field('MemAvailable') * 1024,
    hugepageBytes: field('Hugepagesize') * 1024,
    hugepagesTotal: field('HugePages_Total'),
    hugepagesFree: field('HugePages_Free'),
    transparent: /\[(\w+)\]/.exec(thp)?.[1] ?? 'unknown',
    groupLimitBytes: groupLimit(roots, 'memory', 'memory.max', 'memory.limit_in_bytes'),
    hugepageLimitBytes: groupLimit(
      roots,
      'hugetlb',
      'hugetlb.2MB.max',
      'hugetlb.2MB.limit_in_bytes',
    ),
    shm: gatherShm(),
    sysv: gatherSysv(roots.proc),
    nodes: nodes.flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? []).map(Number),
  };
}

/** Version 2: `file` of the group and of those above it; version 1: `oldFile` of its controller. */
function groupLimit(
  roots: { readonly sys: string; readonly proc: string },
  controller: string,
  file: string,
  oldFile: string,
): number | undefined {
  const groups = readText(join(roots.proc, 'self/cgroup')) ?? '';
  const base = join(roots.sys, 'fs/cgroup');
  const files: string[] = [];
  let path = /^0::(.*)$/m.exec(groups)?.[1] ?? '/';
  for (;;) {
    files.push(join(base, path, file));
    if (path === '/' || path === '') break;
    path = path.slice(0, path.lastIndexOf('/')) || '/';
  }
  const old = new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(groups)?.[1] ?? '/';
  files.push(join(base, controller, old, oldFile), join(base, controller, oldFile));
  const limits = files.map((path) => Number(readLine(path) ?? Number.NaN));
  // Version 1 says "no limit" with a number near 2^63.
  const real = limits.filter((bytes) => bytes < 2 ** 60);
  return real.length === 0 ? undefined : Math.min(...real);
}

export function judgeMemory(
  facts: MemoryFacts,
  settings: Settings | undefined,
  devices: readonly RdmaDevice[],
): readonly Finding[] {
  return [
    memlock(facts, settings, devices.length > 0),
    hugepages(facts, settings),
    memorySize(facts, settings),
    judgeSharedMemory(settings, facts.shm, facts.sysv),
    numa(facts, devices),
  ];
}

/** Bytes that a role without a configuration would pin. */
const arenaBytesDefault = 512 * 2 ** 20;

function memlock(
  { process }: MemoryFacts,
  settings: Settings | undefined,
  hasDevice: boolean,
): Finding {
  const key = settings?.memory.key ?? 'memory.size';
  const bytes = settings?.memory.bytes ?? arenaBytesDefault;
  const evidence = [
    `limit of ${process.of}: ${formatBytes(process.memlockBytes)}, CAP_IPC_LOCK: ${process.hasIpcLock ? 'yes' : 'no'}`,
    `${key}: ${formatBytes(bytes)}, pinned as one region`,
  ];
  if (process.hasIpcLock) return ok('memlock', 'CAP_IPC_LOCK: the limit does not apply', evidence);
  if (Number.isNaN(process.memlockBytes)) {
    return skip('memlock', 'the limit cannot be read', evidence);
  }
  if (process.memlockBytes >= bytes) {
    return ok('memlock', `${formatBytes(process.memlockBytes)} may be locked`, evidence);
  }
  const trouble = {
    summary: `${formatBytes(process.memlockBytes)} may be locked, ${key} needs ${formatBytes(bytes)}`,
    evidence,
    fix: [
      'systemd: LimitMEMLOCK=infinity in the unit; a shell: ulimit -l unlimited (limits.conf: memlock)',
      'Kubernetes: securityContext.capabilities.add IPC_LOCK; Docker: --ulimit memlock=-1',
      `or a smaller ${key}`,
    ] as const,
  };
  if (hasDevice) return fail('memlock', trouble);
  // Nothing pins without an RDMA device.
  return warn('memlock', {
    ...trouble,
    summary: `${trouble.summary} once there is an RDMA device`,
  });
}

function hugepages(facts: MemoryFacts, settings: Settings | undefined): Finding {
  const { hugepageBytes, hugepagesTotal, hugepagesFree, transparent, process } = facts;
  if (Number.isNaN(hugepagesFree)) return skip('hugepages', 'the kernel has none');
  const kind = settings?.memory.hugepages ?? 'try';
  const key = settings?.memory.hugepagesKey ?? 'memory.hugepages';
  const bytes = settings?.memory.bytes ?? arenaBytesDefault;
  const needed = Math.ceil(bytes / hugepageBytes);
  const evidence = [
    `${hugepagesFree} of ${hugepagesTotal} pages of ${formatBytes(hugepageBytes)} are free, ${needed} are needed; transparent: ${transparent}`,
    `${key} = "${kind}"`,
  ];
  if (kind === 'off') return ok('hugepages', 'not asked for', evidence);
  const reserve = `sysctl -w vm.nr_hugepages=${hugepagesTotal - hugepagesFree + needed} (and in /etc/sysctl.d); Kubernetes: resources.limits hugepages-2Mi`;
  const { hugepageLimitBytes: limit } = facts;
  if (kind === 'require' && !process.isRunningRole && limit !== undefined && limit < bytes) {
    return fail('hugepages', {
      summary: `the control group allows ${formatBytes(limit)} of hugepages, ${formatBytes(bytes)} are needed`,
      evidence,
      fix: [
        `Kubernetes: resources.limits hugepages-2Mi: ${formatBytes(bytes).replace(/ (.)iB/, '$1i')}`,
        `or set ${key} = "try"`,
      ],
    });
  }
  // A running role holds its pages already.
  if (process.isRunningRole || hugepagesFree >= needed) {
    return ok(
      'hugepages',
      process.isRunningRole ? 'the role runs with what it got' : `${hugepagesFree} free`,
      evidence,
    );
  }
  if (kind === 'require') {
    return fail('hugepages', {
      summary: `${hugepagesFree} free, ${needed} are needed and ${key} = "require": the role does not start`,
      evidence,
      fix: [reserve, `or set ${key} = "try"`],
    });
  }
  if (transparent === 'never') {
    return warn('hugepages', {
      summary: 'neither reserved nor transparent hugepages: pages of 4 KiB',
      evidence,
      fix: [reserve, 'or: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled'],
    });
  }
  return ok('hugepages', 'none reserved: transparent hugepages stand in', evidence);
}

/** Node itself, code and heap, beside the arena. */
const programBytes = 256 * 2 ** 20;

function memorySize(facts: MemoryFacts, settings: Settings | undefined): Finding {
  const { totalBytes, availableBytes, groupLimitBytes, process } = facts;
  const key = settings?.memory.key ?? 'memory.size';
  const bytes = settings?.memory.bytes ?? arenaBytesDefault;
  // Reserved pages are neither of the available memory nor counted by the control group.
  const isReserved = settings?.memory.hugepages === 'require';
  const taken = isReserved ? 0 : bytes;
  const what = isReserved ? 'the program does' : `${key} and the program do`;
  const evidence = [
    `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} available, control group: ${groupLimitBytes === undefined ? 'no limit' : formatBytes(groupLimitBytes)}`,
    `${key}: ${formatBytes(bytes)}, all of it taken at the start${isReserved ? ', of reserved hugepages' : ''}`,
  ];
  if (groupLimitBytes !== undefined && taken + programBytes > groupLimitBytes) {
    return fail('memory-size', {
      summary: `${what} not fit the control group's ${formatBytes(groupLimitBytes)}`,
      evidence,
      fix: [
        `Kubernetes: resources.limits.memory of ${formatBytes(taken + programBytes)} or more; systemd: MemoryMax=`,
        ...(isReserved ? [] : [`or a smaller ${key}`]),
      ],
    });
  }
  if (!process.isRunningRole && taken > availableBytes) {
    return fail('memory-size', {
      summary: `${key} is more than the ${formatBytes(availableBytes)} that are available`,
      evidence,
      fix: [`a smaller ${key}`],
    });
  }
  return ok('memory-size', `${formatBytes(bytes)} fit`, evidence);
}

function numa({ nodes, process }: MemoryFacts, devices: readonly RdmaDevice[]): Finding {
  const evidence = [
    `nodes: ${nodes.join(', ') || 'unknown'}; ${process.of} may use: ${process.memoryNodes || 'unknown'}`,
    ...devices.map(({ name, numaNode }) => `${name}: node ${numaNode ?? 'unknown'}`),
  ];
  if (nodes.length <= 1) return ok('numa', 'one node', evidence);
  const placed = devices.filter(({ numaNode }) => numaNode !== undefined);
  if (placed.length === 0) return skip('numa', `${nodes.length} nodes, no device on one`, evidence);
  const allowed = listOf(process.memoryNodes);
  const far = placed.filter(({ numaNode }) => !allowed.includes(numaNode as number));
  const [first] = far;
  if (first !== undefined && far.length === placed.length) {
    return warn('numa', {
      summary: `${first.name} is on node ${first.numaNode}, ${process.of} on ${process.memoryNodes}`,
      evidence,
      fix: [
        `numactl --cpunodebind=${first.numaNode} --membind=${first.numaNode}; systemd: NUMAPolicy=bind NUMAMask=${first.numaNode}`,
      ],
    });
  }
  return ok('numa', 'memory may lie beside the device', evidence);
}

/** "0-3,8" → [0, 1, 2, 3, 8]. */
function listOf(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split('-').map(Number);
    return Array.from({ length: Math.max(0, to - from + 1) || 0 }, (_, index) => from + index);
  });
}
