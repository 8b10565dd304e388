/** Layer 10, of the sidecar's temp-file mode: the directory is memory, no other user's, can be written, and has the room. */
import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { foreignFolder } from '../../proxy/sidecar/own-folder.ts';
import { messageOf } from '../../rdma/errors.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { formatBytes } from './format-bytes.ts';
import type { Settings } from './setup.ts';

export interface TempDirFacts {
  readonly dir: string;
  /** '' when this user can write there. */
  readonly failure: string;
  /** Why the proxy refuses it, where this user starts it. */
  readonly foreign?: string | undefined;
  /** statfs' f_type. */
  readonly fileSystem: number;
  readonly freeBytes: number;
}

export async function gatherTempDir(dir: string): Promise<TempDirFacts> {
  try {
    await access(dir, constants.W_OK | constants.X_OK);
    const foreign = foreignFolder(dir, process.geteuid?.() ?? 0);
    const { type, bavail, bsize } = await statfs(dir);
    return { dir, failure: '', foreign, fileSystem: type, freeBytes: bavail * bsize };
  } catch (error) {
    return { dir, failure: messageOf(error), fileSystem: 0, freeBytes: 0 };
  }
}

/** linux/magic.h. */
const memoryFileSystems: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);

export function judgeTempDir(
  settings: Settings | undefined,
  facts: TempDirFacts | undefined,
): Finding {
  const name = 'temp-dir';
  if (settings === undefined) return skip(name, 'needs a configuration');
  const { tempFiles } = settings;
  if (tempFiles === undefined || facts === undefined) {
    return skip(name, 'sidecar.temp_dir is not set: no temporary files');
  }
  const { dir, failure, foreign, fileSystem, freeBytes } = facts;
  if (failure !== '') {
    return fail(name, {
      summary: `sidecar.temp_dir: ${dir} cannot be written`,
      evidence: [failure],
      fix: [
        `create it for the proxy's user (install -d -m 700 ${dir}), or set sidecar.temp_dir to another directory`,
      ],
    });
  }
  if (foreign !== undefined) {
    return fail(name, {
      summary: `the proxy does not start with sidecar.temp_dir = "${dir}", where other users can replace files`,
      evidence: [foreign],
      fix: [
        `name a folder of the proxy's user alone (install -d -m 711 /dev/shm/seaweed-rdma), and run doctor as that user`,
      ],
    });
  }
  const kind = memoryFileSystems.get(fileSystem);
  const evidence = [
    `${dir}: statfs type 0x${fileSystem.toString(16)} (${kind ?? 'not memory'}), ${formatBytes(freeBytes)} free`,
    `sidecar.temp_bytes_max: ${formatBytes(tempFiles.bytesMax)}`,
  ];
  if (kind === undefined) {
    return warn(name, {
      summary: `${dir} is on a disk: each temporary file is written to it`,
      evidence,
      fix: [`set sidecar.temp_dir below /dev/shm, or mount -t tmpfs tmpfs ${dir}`],
    });
  }
  if (freeBytes < tempFiles.bytesMax) {
    return warn(name, {
      summary: `${dir} has less room than sidecar.temp_bytes_max`,
      evidence,
      fix: [`mount -o remount,size=… ${dir}, or a smaller sidecar.temp_bytes_max`],
    });
  }
  return ok(name, `${dir} is ${kind}`, evidence);
}
