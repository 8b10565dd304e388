/** The commands of `weed` that read or write volumes: upload, download, benchmark, filer.copy, shell, filer.sync. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Filer } from './cluster.ts';
import { type Content, largeFiles, mustEqual, smallFiles, textFile } from './contents.ts';
import { forEachOf, getAndCompare, putFile } from './filer-clients.ts';
import type { RealClient } from './real-client.ts';
import { runWeed } from './weed-command.ts';

/** What `weed upload` says of one file. */
interface Uploaded {
  readonly fileName: string;
  readonly fid: string;
}

function written(folder: string, contents: readonly Content[]): readonly string[] {
  return contents.map(({ name, bytes }) => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    return file;
  });
}

/** `weed upload` writes, one file of it as a chunk manifest of the volume server; `weed download` reads. */
export class UploadDownload implements RealClient {
  readonly name = 'weed upload, weed download';
  readonly #contents = [...smallFiles(), ...largeFiles([1, 9]), textFile()];
  #uploaded: readonly Uploaded[] = [];

  async prepare(cluster: Cluster): Promise<void> {
    const files = written(cluster.scratch('upload'), this.#contents);
    const output = await runWeed(cluster, [
      ...['upload', `-master=${cluster.master}`, '-maxMB=2'],
      ...files,
    ]);
    this.#uploaded = JSON.parse(output.toString()) as readonly Uploaded[];
    if (this.#uploaded.length !== files.length) throw new Error(`weed upload said ${output}`);
  }

  async read(cluster: Cluster, pass: number): Promise<void> {
    const dir = cluster.scratch(`download-${pass}`);
    const fids = this.#uploaded.map(({ fid }) => fid);
    await runWeed(cluster, ['download', `-master=${cluster.master}`, `-dir=${dir}`, ...fids]);
    for (const { name, bytes } of this.#contents) {
      mustEqual(`weed download of ${name}`, readFileSync(join(dir, name)), bytes);
    }
  }
}

/** It compares no bytes itself: a sample of what it read is compared with the volume server's own answers. */
export class Benchmark implements RealClient {
  readonly name = 'weed benchmark';
  readonly #count = 400;

  async prepare(cluster: Cluster): Promise<void> {
    await this.#run(cluster, '-writeOnly');
  }

  async read(cluster: Cluster): Promise<void> {
    const said = (await this.#run(cluster, '-readOnly')).toString();
    const completed = /Completed requests:\s+(\d+)/.exec(said)?.[1];
    const failed = /Failed requests:\s+(\d+)/.exec(said)?.[1];
    if (Number(completed) !== this.#count || failed !== '0') throw new Error(said);
    const fids = readFileSync(this.#list(cluster), 'utf8').trim().split('\n').slice(0, 20);
    await forEachOf(fids, async (fid) => {
      const [seen, own] = await Promise.all(
        [cluster.volumeServer, cluster.hiddenVolumeServer].map((server) => body(server, fid)),
      );
      mustEqual(fid, seen as Buffer, own as Buffer);
    });
  }

  #run(cluster: Cluster, phase: string): Promise<Buffer> {
    const args = ['-c=4', `-n=${this.#count}`, '-size=4096', `-list=${this.#list(cluster)}`];
    return runWeed(cluster, ['benchmark', `-master=${cluster.master}`, ...args, phase]);
  }

  #list(cluster: Cluster): string {
    return join(cluster.scratch('benchmark'), 'list.txt');
  }
}

async function body(server: string, fid: string): Promise<Buffer> {
  const answer = await fetch(`http://${server}/${fid}`);
  if (!answer.ok) throw new Error(`${server} answers ${answer.status} to GET /${fid}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** `weed filer.copy` only writes: what it wrote is read by the filer. */
export class FilerCopy implements RealClient {
  readonly name = 'weed filer.copy, then filer GET';
  readonly #contents = [...smallFiles(20), ...largeFiles([6]), textFile()];
  readonly #filer: () => Filer;

  constructor(filer: () => Filer) {
    this.#filer = filer;
  }

  async prepare(cluster: Cluster): Promise<void> {
    const files = written(cluster.scratch('copy'), this.#contents);
    await runWeed(cluster, ['filer.copy', '-maxMB=2', ...files, `${this.#filer().url}/copied/`]);
  }

  async read(): Promise<void> {
    await getAndCompare(this.#filer(), '/copied', this.#contents);
  }
}

/** `fs.cat` in `weed shell`, whose prompts are around what it prints. */
export class ShellCat implements RealClient {
  readonly name = 'weed shell fs.cat';
  readonly #contents = [...smallFiles(12), ...largeFiles([9]), textFile()];
  readonly #filer: () => Filer;

  constructor(filer: () => Filer) {
    this.#filer = filer;
  }

  async prepare(): Promise<void> {
    for (const { name, bytes } of this.#contents) {
      await putFile(this.#filer(), `/cat/${name}`, bytes);
    }
  }

  async read(cluster: Cluster): Promise<void> {
    const commands = this.#contents.map(({ name }) => `fs.cat /cat/${name}\n`).join('');
    const output = await runShell(cluster, this.#filer(), commands);
    let at = 0;
    for (const { name, bytes } of this.#contents) {
      const found = output.indexOf(bytes, at);
      if (found === -1) throw new Error(`fs.cat of ${name} did not print what was written`);
      at = found + bytes.length;
    }
  }
}

export async function runShell(cluster: Cluster, filer: Filer, commands: string): Promise<Buffer> {
  const args = [`-master=${cluster.master}`, `-filer=127.0.0.1:${filer.port}`];
  return runWeed(cluster, ['shell', ...args], `${commands}exit\n`);
}

export interface SyncOptions {
  /** The chunks are read by the source's filer: it signs its reads, `filer.sync` itself does not. */
  readonly isProxiedByFiler?: boolean;
}

/** Each pass has a new filer to copy to, so that everything is read again. */
export class FilerSync implements RealClient {
  readonly name: string;
  readonly #contents = [...smallFiles(25), ...largeFiles([3, 12]), textFile()];
  readonly #filer: () => Filer;
  readonly #isProxied: boolean;
  #copy: Filer | undefined;

  constructor(filer: () => Filer, { isProxiedByFiler = false }: SyncOptions = {}) {
    this.name = `weed filer.sync${isProxiedByFiler ? ', by its filer' : ''}`;
    this.#filer = filer;
    this.#isProxied = isProxiedByFiler;
  }

  async prepare(): Promise<void> {
    for (const { name, bytes } of this.#contents) {
      await putFile(this.#filer(), `/synced/${name}`, bytes);
    }
  }

  async read(cluster: Cluster): Promise<void> {
    const copy = await cluster.startFiler();
    const sync = cluster.run([
      'filer.sync',
      ...[`-a=127.0.0.1:${this.#filer().port}`, `-b=127.0.0.1:${copy.port}`, '-isActivePassive'],
      ...['-a.path=/synced', '-b.path=/synced', `-a.filerProxy=${this.#isProxied}`],
    ]);
    try {
      await sync.until(() => this.#isComplete(copy));
    } finally {
      await cluster.stop(sync);
    }
    this.#copy = copy;
  }

  async compare(): Promise<void> {
    await getAndCompare(this.#copy as Filer, '/synced', this.#contents);
  }

  async #isComplete(copy: Filer): Promise<boolean> {
    for (const { name, bytes } of this.#contents) {
      const answer = await fetch(`${copy.url}/synced/${name}`, { method: 'HEAD' });
      if (Number(answer.headers.get('content-length')) !== bytes.length) return false;
    }
    return true;
  }
}
