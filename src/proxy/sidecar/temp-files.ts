/**
 * Long answers as files on a tmpfs, where a client on the same host reads them from the page cache. Every file has a name
 * that cannot be guessed, is made anew, and is removed by the client (DELETE /cleanup), or by the reaper when it is old.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  type Stats,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { foreignFolder } from './own-folder.ts';
import type { SidecarLog, TempOptions } from './sidecar-options.ts';
import type { TempFileStats } from './sidecar-status.ts';

interface TempFile {
  readonly bytes: number;
  readonly madeAtMs: number;
}

/** Types in statfs: tmpfs and ramfs. */
const memoryFilesystems: readonly number[] = [0x0102_1994, 0x8584_58f6];
/** Clients open files by name; no other user needs to list the folder. */
const folderMode = 0o711;
const reapsPerTtl = 4;

export class TempFiles {
  readonly #options: TempOptions;
  readonly #log: SidecarLog;
  readonly #dir: string;
  readonly #dirAtStart: Stats;
  readonly #prefix: string;
  readonly #files = new Map<string, TempFile>();
  readonly #reaper: NodeJS.Timeout;
  #bytes = 0;
  #created = 0;
  #cleaned = 0;
  #reaped = 0;
  #refused = 0;
  #isClosed = false;
  #isReplacementLogged = false;

  /**
   * `owner` tells this sidecar's files from another one's in the same folder: its address. Throws where the folder cannot
   * be used.
   */
  constructor(options: TempOptions, owner: string, log: SidecarLog) {
    this.#options = options;
    this.#log = log;
    // Before it is made, so that a link of another user decides nothing; and afterwards, since it may have come meanwhile.
    refuseForeign(options.dir);
    mkdirSync(options.dir, { recursive: true, mode: folderMode });
    refuseForeign(options.dir);
    // Node's own realpath takes "link/.." for the folder that has the link; the kernel and the judge do not.
    this.#dir = realpathSync.native(options.dir);
    refuseForeign(this.#dir);
    this.#dirAtStart = lstatSync(this.#dir);
    if (!memoryFilesystems.includes(statfsSync(this.#dir).type)) {
      const fields = { event: 'sidecar-temp-dir', dir: this.#dir };
      log.warn(fields, 'sidecar.temp_dir is on no tmpfs: temp files will be written to a disk');
    }
    const tag = createHash('sha256').update(owner).digest('hex').slice(0, 8);
    this.#prefix = `seaweed-rdma-${tag}-`;
    this.#sweep();
    this.#reaper = setInterval(() => this.#reap(), options.ttlMs / reapsPerTtl).unref();
  }

  get stats(): TempFileStats {
    return {
      files: this.#files.size,
      bytes: this.#bytes,
      created: this.#created,
      cleaned: this.#cleaned,
      reaped: this.#reaped,
      refused: this.#refused,
    };
  }

  /** The file's path; undefined: the answer goes without. */
  async write(slices: readonly Buffer[], bytes: number): Promise<string | undefined> {
    if (bytes < this.#options.minBytes || this.#isClosed) return undefined;
    if (this.#bytes + bytes > this.#options.bytesMax) {
      this.#refused += 1;
      return undefined;
    }
    const path = join(this.#dir, `${this.#prefix}${randomBytes(16).toString('hex')}.tmp`);
    this.#files.set(path, { bytes, madeAtMs: performance.now() });
    this.#bytes += bytes;
    try {
      this.#refuseReplaced();
      await writeNew(path, slices, this.#options.fileMode);
      // It may have been replaced before the file was made: the name then leads clients to another user's bytes.
      this.#refuseReplaced();
    } catch (error) {
      this.#forget(path);
      this.#refused += 1;
      this.#logFailure(error);
      await unlink(path).catch(ignore);
      return undefined;
    }
    // Closed meanwhile: no timer is left that would remove the file later.
    if (this.#isClosed) {
      await unlink(path).catch(ignore);
      return undefined;
    }
    this.#created += 1;
    return path;
  }

  /** Throws where the folder's name leads to another folder than at the start, or to one that others may write to. */
  #refuseReplaced(): void {
    const why = whyForeign(this.#dir);
    if (why !== undefined) throw new ReplacedFolder(why);
    const { dev, ino } = lstatSync(this.#dir);
    if (dev === this.#dirAtStart.dev && ino === this.#dirAtStart.ino) return;
    throw new ReplacedFolder(`"${this.#dir}" was removed and made anew: restart the proxy`);
  }

  #logFailure(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ReplacedFolder)) {
      this.#log.warn({ event: 'sidecar-temp-file', detail }, 'a temp file could not be written');
      return;
    }
    if (this.#isReplacementLogged) return;
    this.#isReplacementLogged = true;
    const fields = { event: 'sidecar-temp-dir-replaced', dir: this.#dir, detail };
    const text = 'others may have replaced sidecar.temp_dir: answers have no temp files';
    this.#log.error(fields, text);
  }

  /** False: no file of this sidecar, or one that is gone. What was not made here is never touched. */
  async clean(path: string): Promise<boolean> {
    if (!this.#forget(path)) return false;
    this.#cleaned += 1;
    await unlink(path).catch(ignore);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#reaper);
    for (const path of [...this.#files.keys()]) this.#remove(path);
  }

  #reap(): void {
    const oldest = performance.now() - this.#options.ttlMs;
    for (const [path, { madeAtMs }] of [...this.#files]) {
      if (madeAtMs < oldest) this.#remove(path);
    }
  }

  #remove(path: string): void {
    if (!this.#forget(path)) return;
    this.#reaped += 1;
    unlinkQuietly(path);
  }

  #forget(path: string): boolean {
    const file = this.#files.get(path);
    if (file === undefined) return false;
    this.#files.delete(path);
    this.#bytes -= file.bytes;
    return true;
  }

  /** Removes the files that an earlier run of this sidecar left behind. */
  #sweep(): void {
    const uid = process.getuid?.();
    for (const name of readdirSync(this.#dir)) {
      if (
        !name.startsWith(this.#prefix) ||
        !/^[0-9a-f]{32}\.tmp$/.test(name.slice(this.#prefix.length))
      ) {
        continue;
      }
      const path = join(this.#dir, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isFile() === true && found.uid === uid) unlinkQuietly(path);
    }
  }
}

class ReplacedFolder extends Error {}

function whyForeign(dir: string): string | undefined {
  return foreignFolder(dir, process.geteuid?.() ?? 0);
}

function refuseForeign(dir: string): void {
  const why = whyForeign(dir);
  if (why !== undefined) throw new Error(`sidecar.temp_dir: ${why}`);
}

/** Fails where the name is taken, by a link too. The mode is as asked for, whatever the umask. */
async function writeNew(path: string, slices: readonly Buffer[], mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (const slice of slices) await file.writeFile(slice);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The file is gone already, which is all that was to be done.
  }
}

function ignore(): void {}
