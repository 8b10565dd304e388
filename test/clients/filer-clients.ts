/** Clients that ask a filer over HTTP, which then asks the volume servers. */
import type { Cluster, Filer } from './cluster.ts';
import {
  type Content,
  largeFiles,
  mustEqual,
  randomPlaces,
  smallFiles,
  textFile,
} from './contents.ts';
import type { RealClient } from './real-client.ts';

const randomReads = 60;
const randomReadBytes = 4_096;
const concurrency = 6;

export async function putFile(filer: Filer, path: string, bytes: Buffer): Promise<void> {
  const answer = await fetch(`${filer.url}${path}`, { method: 'PUT', body: new Uint8Array(bytes) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${text}`);
}

/** The body; `range` is a Range header's value, and then a 206 is wanted. */
export async function getFile(filer: Filer, path: string, range?: string): Promise<Buffer> {
  const headers = range === undefined ? {} : { Range: range };
  const answer = await fetch(`${filer.url}${path}`, { headers });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const wanted = range === undefined ? 200 : 206;
  if (answer.status !== wanted) {
    throw new Error(`GET ${path} ${range ?? ''}: ${answer.status} ${bytes.subarray(0, 200)}`);
  }
  return bytes;
}

/** A few at a time. */
export async function forEachOf<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

export async function getAndCompare(
  filer: Filer,
  folder: string,
  contents: readonly Content[],
): Promise<void> {
  await forEachOf(contents, async ({ name, bytes }) => {
    mustEqual(`${folder}/${name}`, await getFile(filer, `${folder}/${name}`), bytes);
  });
}

export interface FilerGetOptions {
  readonly isEncrypting?: boolean;
  readonly megabytes?: readonly number[];
}

/** Whole files, ranges of them, and random places in the largest one. */
export class FilerGet implements RealClient {
  readonly name: string;
  readonly #isEncrypting: boolean;
  readonly #contents: readonly Content[];
  #filer: Filer | undefined;

  constructor({ isEncrypting = false, megabytes = [1, 5, 17, 60] }: FilerGetOptions = {}) {
    this.name = isEncrypting ? 'filer GET, encrypted volume data' : 'filer GET';
    this.#isEncrypting = isEncrypting;
    this.#contents = [...smallFiles(), ...largeFiles(megabytes), textFile()];
  }

  async prepare(cluster: Cluster): Promise<void> {
    this.#filer = await cluster.startFiler({ isEncrypting: this.#isEncrypting });
    for (const { name, bytes } of this.#contents) await putFile(this.#filer, `/get/${name}`, bytes);
  }

  async read(): Promise<void> {
    const filer = this.#filer as Filer;
    await getAndCompare(filer, '/get', this.#contents);
    const largest = this.#contents.at(-2) as Content;
    for (const content of [largest, this.#contents.at(-1) as Content]) {
      await readPlaces(filer, `/get/${content.name}`, content);
    }
  }
}

async function readPlaces(filer: Filer, path: string, content: Content): Promise<void> {
  const { bytes } = content;
  const middle = Math.floor(bytes.length / 2);
  const places = [
    { from: 0, to: 1 },
    { from: middle, to: bytes.length },
    ...randomPlaces(content, randomReads, randomReadBytes),
  ];
  await forEachOf(places, async ({ from, to }) => {
    const got = await getFile(filer, path, `bytes=${from}-${to - 1}`);
    mustEqual(`${path} from ${from}`, got, bytes.subarray(from, to));
  });
}
