/**
 * Files of many small chunks: one made of appends, and one whose list of chunks lies in manifests. A filer makes manifests
 * from 10,000 chunks on; here one is made by hand, of a few dozen.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Filer } from './cluster.ts';
import { runShell } from './command-clients.ts';
import { mustEqual, randomPlaces } from './contents.ts';
import { forEachOf, getFile } from './filer-clients.ts';
import type { RealClient } from './real-client.ts';

const appendCount = 150;
const appendBytes = 1_500;
const chunkBytes = 16 * 1024;
const chunksInManifest = 20;
const manifestCount = 3;
const randomReads = 30;
/** The kind bit of Go's os.FileMode, and what everybody may do. */
const folderMode = 0x8000_0000 + 0o755;

export class ChunkedFiles implements RealClient {
  readonly name = 'filer GET, many small chunks, manifests';
  readonly #appended = randomBytes(appendCount * appendBytes);
  readonly #manifested = randomBytes(manifestCount * chunksInManifest * chunkBytes);
  readonly #filer: () => Filer;

  constructor(filer: () => Filer) {
    this.#filer = filer;
  }

  async prepare(cluster: Cluster): Promise<void> {
    for (let at = 0; at < this.#appended.length; at += appendBytes) {
      const body = new Uint8Array(this.#appended.subarray(at, at + appendBytes));
      const url = `${this.#filer().url}/chunked/appended.bin?op=append`;
      const answer = await fetch(url, { method: 'PUT', body });
      if (!answer.ok) throw new Error(`append: ${answer.status} ${await answer.text()}`);
      await answer.arrayBuffer();
    }
    const entry = await writeManifested(cluster, this.#manifested);
    const file = join(cluster.folder, 'manifested.meta');
    writeFileSync(file, entry);
    await this.#load(cluster, file);
  }

  async read(): Promise<void> {
    for (const [path, bytes] of [
      ['/chunked/appended.bin', this.#appended],
      ['/chunked/manifested.bin', this.#manifested],
    ] as const) {
      mustEqual(path, await getFile(this.#filer(), path), bytes);
      await forEachOf(randomPlaces({ name: path, bytes }, randomReads, 4_096), async (place) => {
        const got = await getFile(this.#filer(), path, `bytes=${place.from}-${place.to - 1}`);
        mustEqual(`${path} from ${place.from}`, got, bytes.subarray(place.from, place.to));
      });
    }
  }

  async #load(cluster: Cluster, file: string): Promise<void> {
    const said = await runShell(cluster, this.#filer(), `fs.meta.load ${file}\n`);
    const answer = await fetch(`${this.#filer().url}/chunked/manifested.bin`, { method: 'HEAD' });
    if (!answer.ok) throw new Error(`fs.meta.load has loaded nothing: ${said.toString()}`);
  }
}

interface Chunk {
  readonly fid: string;
  readonly offset: number;
  readonly size: number;
  readonly isManifest: boolean;
}

/**
 * Writes the chunks and their manifests; returns the entry as `fs.meta.load` takes it, and a folder behind it: the command
 * waits for files to be loaded only when a folder follows them, and the shell ends without waiting.
 */
async function writeManifested(cluster: Cluster, bytes: Buffer): Promise<Buffer> {
  const manifests: Chunk[] = [];
  const span = chunksInManifest * chunkBytes;
  for (let offset = 0; offset < bytes.length; offset += span) {
    const chunks: Chunk[] = [];
    for (let at = offset; at < offset + span; at += chunkBytes) {
      const fid = await writeNeedle(cluster, bytes.subarray(at, at + chunkBytes));
      chunks.push({ fid, offset: at, size: chunkBytes, isManifest: false });
    }
    const manifest = Buffer.concat(chunks.map((chunk) => message(1, encodeChunk(chunk))));
    const fid = await writeNeedle(cluster, manifest);
    manifests.push({ fid, offset, size: span, isManifest: true });
  }
  const seconds = Math.floor(Date.now() / 1e3);
  const times = [number(2, seconds), number(6, seconds)];
  const attributes = [number(1, bytes.length), ...times, number(3, 0o644)];
  const entry = Buffer.concat([
    message(1, Buffer.from('manifested.bin')),
    ...manifests.map((chunk) => message(3, encodeChunk(chunk))),
    message(4, Buffer.concat(attributes)),
  ]);
  const folder = Buffer.concat([
    message(1, Buffer.from('loaded')),
    number(2, 1),
    message(4, Buffer.concat([...times, number(3, folderMode)])),
  ]);
  return Buffer.concat([fullEntry(entry), fullEntry(folder)]);
}

/** filer_pb.FullEntry behind its length. */
function fullEntry(entry: Buffer): Buffer {
  const full = Buffer.concat([message(1, Buffer.from('/chunked')), message(2, entry)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(full.length);
  return Buffer.concat([length, full]);
}

async function writeNeedle(cluster: Cluster, bytes: Buffer): Promise<string> {
  const assigned = await fetch(`http://${cluster.master}/dir/assign`);
  const { fid, url } = (await assigned.json()) as { readonly fid: string; readonly url: string };
  const body = new FormData();
  body.append('file', new Blob([new Uint8Array(bytes)]));
  const answer = await fetch(`http://${url}/${fid}`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`POST /${fid}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
  return fid;
}

/** filer_pb.FileChunk. */
function encodeChunk({ fid, offset, size, isManifest }: Chunk): Buffer {
  return Buffer.concat([
    message(1, Buffer.from(fid)),
    number(2, offset),
    number(3, size),
    number(4, Date.now() * 1e6),
    ...(isManifest ? [number(11, 1)] : []),
  ]);
}

/** A field of Protocol Buffers that holds a message, a text or bytes. */
function message(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
