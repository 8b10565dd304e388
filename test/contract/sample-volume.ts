/** A volume that a test writes to while it is being served. Every needle's cookie is 1. */
import {
  closeSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  createVolume,
  type NeedleToWrite,
  openVolume,
  type Ttl,
  type VolumeWriter,
} from '../../src/rdma/volume-files.ts';

export type Fields = Omit<NeedleToWrite, 'needleId' | 'cookie' | 'data'>;

/** Of a record: cookie, id, size. */
const headerBytes = 4 + 8 + 4;
/** And the data's size. */
const bytesBeforeData = headerBytes + 4;

export class SampleVolume {
  readonly #writer: VolumeWriter;
  readonly #base: string;
  readonly #offsets = new Map<bigint, number>();

  constructor(
    dir: string,
    volumeId: number,
    collection = '',
    ttl?: Ttl,
    writer: VolumeWriter = createVolume({
      dir,
      volumeId,
      collection,
      ...(ttl === undefined ? {} : { ttl }),
    }),
  ) {
    this.#writer = writer;
    this.#base = join(dir, collection === '' ? `${volumeId}` : `${collection}_${volumeId}`);
  }

  /** One whose files are there. */
  static open(dir: string, volumeId: number): SampleVolume {
    return new SampleVolume(dir, volumeId, '', undefined, openVolume({ dir, volumeId }));
  }

  /** Of its .dat. */
  get dataBytes(): number {
    return statSync(`${this.#base}.dat`).size;
  }

  get idxBytes(): number {
    return statSync(`${this.#base}.idx`).size;
  }

  /** Returns the entity tag that a volume server gives it. */
  put(needleId: bigint, data: Uint8Array, fields: Fields = {}): string {
    const { offset, size } = this.#writer.append({ ...fields, needleId, cookie: 1, data });
    this.#offsets.set(needleId, offset);
    return `"${this.#bytesOfData(offset + headerBytes + size, 4).toString('hex')}"`;
  }

  delete(needleId: bigint): void {
    this.#writer.delete(needleId);
  }

  vacuum(): void {
    this.#writer.vacuum();
  }

  /** Spoils what is stored, as a disk would. */
  flipDataByte(needleId: bigint): void {
    const at = (this.#offsets.get(needleId) ?? 0) + bytesBeforeData;
    const file = openSync(`${this.#base}.dat`, 'r+');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ 0xff;
    writeSync(file, byte, 0, 1, at);
    closeSync(file);
  }

  /** As if the disk had lost the last rows. The writer is closed. */
  truncateIndex(bytes: number): void {
    this.close();
    truncateSync(`${this.#base}.idx`, bytes);
  }

  /** The index still names what is gone. The writer is closed. */
  truncateData(bytes: number): void {
    this.close();
    truncateSync(`${this.#base}.dat`, bytes);
  }

  close(): void {
    this.#writer.close();
  }

  /** Deletes the files, in the volume server's order. */
  remove(): void {
    for (const ext of ['.vif', '.idx', '.dat']) unlinkSync(this.#base + ext);
  }

  #bytesOfData(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const file = openSync(`${this.#base}.dat`, 'r');
    readSync(file, bytes, 0, length, at);
    closeSync(file);
    return bytes;
  }
}
