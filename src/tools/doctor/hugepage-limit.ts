/** Layer 5, of control groups: pages may be free and yet not be for this process (Kubernetes sets such limits). */
import { join } from 'node:path';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { entriesOf, formatBytes, readLine, readText } from './machine-files.ts';
import type { Roots, Settings } from './setup.ts';

export interface HugepageLimit {
  readonly file: string;
  readonly bytes: number;
}

/** The tightest of the process' groups, of 2 MiB pages; undefined: no limit is known. */
export function gatherHugepageLimit({ sys, proc }: Roots): HugepageLimit | undefined {
  const groups = readText(join(proc, 'self/cgroup')) ?? '';
  const base = join(sys, 'fs/cgroup');
  const own = /^0::(.*)$/m.exec(groups)?.[1] ?? '/';
  const old = /^\d+:(?:[\w,]+,)?hugetlb(?:,[\w,]+)?:(.*)$/m.exec(groups)?.[1] ?? '/';
  const files = [
    ...foldersUp(own).flatMap((folder) => limitFiles(join(base, folder))),
    ...foldersUp(old).flatMap((folder) => limitFiles(join(base, 'hugetlb', folder))),
  ];
  const limits = files.flatMap((file) => {
    const bytes = Number(readLine(file) ?? Number.NaN);
    // "max" is no number; version 1 says "no limit" with a number near 2^63.
    return bytes < 2 ** 60 ? [{ file, bytes }] : [];
  });
  return limits.toSorted((a, b) => a.bytes - b.bytes)[0];
}

/** "/a/b" → "/a/b", "/a", "/". */
function foldersUp(path: string): readonly string[] {
  const words = path.split('/').filter((word) => word !== '');
  return Array.from(
    { length: words.length + 1 },
    (_, cut) => `/${words.slice(0, words.length - cut).join('/')}`,
  );
}

function limitFiles(folder: string): readonly string[] {
  return entriesOf(folder)
    .filter((name) => /^hugetlb\.2MB\.(max|limit_in_bytes)$/.test(name))
    .map((name) => join(folder, name));
}

export function judgeHugepageLimit(
  limit: HugepageLimit | undefined,
  settings: Settings | undefined,
  /** Of reserved hugepages that nobody has. */
  freeBytes: number,
): Finding {
  const name = 'hugepage-limit';
  const kind = settings?.memory.hugepages ?? 'try';
  const key = settings?.memory.key ?? 'memory.size';
  const hugepagesKey = settings?.memory.hugepagesKey ?? 'memory.hugepages';
  if (kind === 'off') return skip(name, `${hugepagesKey} = "off"`);
  if (limit === undefined) return ok(name, 'no control group limits hugepages');
  const evidence = [`${limit.file}: ${formatBytes(limit.bytes)}`];
  if (settings === undefined) return skip(name, 'needs a configuration', evidence);
  const { bytes } = settings.memory;
  evidence.push(`${key}: ${formatBytes(bytes)}`);
  if (limit.bytes >= bytes) return ok(name, `${formatBytes(limit.bytes)} are allowed`, evidence);
  const trouble = {
    summary: `the control group allows ${formatBytes(limit.bytes)} of hugepages, ${key} needs ${formatBytes(bytes)}`,
    evidence,
    fix: [
      `Kubernetes: resources.limits hugepages-2Mi: ${Math.ceil(bytes / 2 ** 20)}Mi; systemd has no such limit: look for who wrote the file above`,
      `or set ${hugepagesKey} = "off", or a smaller ${key}`,
    ] as const,
  };
  // With pages free the kernel promises them, and refuses each past the limit when it is touched: SIGBUS.
  const isTaken = kind === 'require' || freeBytes >= bytes;
  return isTaken ? fail(name, trouble) : warn(name, trouble);
}
