/** `weed mount` over FUSE; mounted anew for each pass, so that neither its cache nor the kernel's has anything. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster, Filer } from './cluster.ts';
import {
  type Content,
  largeFiles,
  mustEqual,
  randomPlaces,
  smallFiles,
  textFile,
} from './contents.ts';
import { forEachOf } from './filer-clients.ts';
import type { RealClient } from './real-client.ts';

const randomReads = 80;
const randomReadBytes = 4_096;

/** Why nothing can be mounted here; undefined: it can. */
export function mountHindrance(): string | undefined {
  if (process.getuid?.() !== 0) return 'weed mount needs root here';
  if (!['/usr/bin/fusermount3', '/bin/fusermount3'].some(existsSync)) return 'fuse3 is missing';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/fuse cannot be opened';
  }
}

export type VolumeServerAccess = 'direct' | 'publicUrl' | 'filerProxy';

export class Mount implements RealClient {
  readonly name: string;
  readonly #access: VolumeServerAccess;
  readonly #contents: readonly Content[];
  readonly #filer: () => Filer;
  #mounts = 0;

  constructor(
    filer: () => Filer,
    access: VolumeServerAccess = 'direct',
    megabytes: readonly number[] = [1, 5, 40],
  ) {
    this.name = `weed mount, ${access}`;
    this.#filer = filer;
    this.#access = access;
    this.#contents = [...smallFiles(), textFile(), ...largeFiles(megabytes)];
  }

  async prepare(cluster: Cluster): Promise<void> {
    await this.#mounted(cluster, async (dir) => {
      await forEachOf(this.#contents, ({ name, bytes }) => writeFile(join(dir, name), bytes));
    });
  }

  async read(cluster: Cluster): Promise<void> {
    await this.#mounted(cluster, async (dir) => {
      const largest = this.#contents.at(-1) as Content;
      // Before anything has read the file whole.
      await readPlaces(join(dir, largest.name), largest);
      await forEachOf(this.#contents, async ({ name, bytes }) => {
        mustEqual(`${name} of the mount`, await readFile(join(dir, name)), bytes);
      });
    });
  }

  async #mounted(cluster: Cluster, use: (dir: string) => Promise<void>): Promise<void> {
    this.#mounts += 1;
    const name = `mount-${this.#access}-${this.#mounts}`;
    const dir = cluster.scratch(name);
    const root = `/mounted-${this.#access}`;
    await fetch(`${this.#filer().url}${root}/`, { method: 'POST' });
    const mount = cluster.run([
      ...['mount', `-filer=127.0.0.1:${this.#filer().port}`, `-filer.path=${root}`, `-dir=${dir}`],
      ...[`-cacheDir=${cluster.scratch(`${name}-cache`)}`, '-allowOthers=false'],
      ...[`-volumeServerAccess=${this.#access}`],
      `-localSocket=${join(cluster.folder, `${name}.sock`)}`,
    ]);
    const unmountAtExit = (): void => unmount(dir);
    process.once('exit', unmountAtExit);
    try {
      await mount.until(async () => isMounted(dir));
      await use(dir);
    } finally {
      await cluster.stop(mount);
      unmount(dir);
      process.off('exit', unmountAtExit);
    }
  }
}

async function readPlaces(path: string, content: Content): Promise<void> {
  const file = await open(path, 'r');
  try {
    for (const { from, to } of randomPlaces(content, randomReads, randomReadBytes)) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
      const got = buffer.subarray(0, bytesRead);
      mustEqual(`${path} from ${from}`, got, content.bytes.subarray(from, to));
    }
  } finally {
    await file.close();
  }
}

function isMounted(dir: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === dir);
}

/** Also where the mount's process was killed. */
function unmount(dir: string): void {
  if (isMounted(dir)) execFileSync('umount', ['-l', dir], { stdio: 'ignore' });
}
