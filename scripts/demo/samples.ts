/**
 * Sample volumes, written with the native writer as a volume server would have left them, and the writes that go on
 * while the demo reads.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createVolume, formatFid, openVolume } from '../../src/rdma/volume-files.ts';
import { ask, type Question } from './client.ts';
import type { VolumeServer } from './volume-server.ts';

export interface Sample {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  readonly path: string;
  /** Content as a client gets it. */
  readonly bytes: Buffer;
}

/** Each call returns when the write is acknowledged. */
export interface Writer {
  put(needle: Sample, data: Buffer): Promise<void>;
  remove(needle: Sample): Promise<void>;
  /** undefined: the volume server decides when to vacuum. */
  readonly vacuum: (() => void) | undefined;
  close(): void;
}

export interface Samples {
  readonly needles: readonly Sample[];
  hotNeedles(): readonly Sample[];
  newBytes(seed: number): Buffer;
  writerFor(volumeServer: VolumeServer): Writer;
}

const hotCount = 24;
/** Offset of the data in a record of a version 3 volume: 16 bytes of header, 4 of data size, then the data. */
const dataOffset = 20;

/** How many needles of which size; most reads of a file store are small. */
const plan: readonly {
  readonly count: number;
  readonly bytes: number;
  readonly name: string;
  readonly mime: string;
  readonly isText?: boolean;
}[] = [
  { count: 200, bytes: 4 * 1024, name: 'block.bin', mime: '' },
  { count: 40, bytes: 64 * 1024, name: 'photo.jpg', mime: 'image/jpeg' },
  { count: 20, bytes: 300, name: 'note.txt', mime: '' },
  { count: 20, bytes: 20_000, name: 'log.txt', mime: 'text/plain', isText: true },
  { count: 4, bytes: 1024 * 1024, name: 'video.mp4', mime: 'video/mp4' },
];

/** Volume 1 is only read; volume 2 is written to while the demo reads it. */
export function createSamples(dataDir: string): Samples {
  const cold = createVolume({ dir: dataDir, volumeId: 1 });
  const hot = createVolume({ dir: dataDir, volumeId: 2 });
  const needles: Sample[] = [];
  let needleId = 1n;
  for (const { count, bytes, name, mime, isText } of plan) {
    for (let at = 0; at < count; at += 1) {
      const plain = isText ? textOf(bytes, at) : randomBytes(bytes);
      const stored = isText ? gzipSync(plain) : plain;
      const needle = { volumeId: 1, needleId: needleId++, cookie: randomInt(2 ** 32) };
      const lastModifiedSeconds = 1_700_000_000 + at;
      const fields = { data: stored, name, mime, compressed: isText === true, lastModifiedSeconds };
      const { offset } = cold.append({ ...needle, ...fields });
      const inFile = readFile(join(dataDir, '1.dat'), offset + dataOffset, stored.length);
      if (!inFile.equals(stored))
        throw new Error(`1.dat does not hold what was written at ${offset}`);
      needles.push({ ...needle, path: pathOf(needle), bytes: plain });
    }
  }
  cold.close();
  const hotNeedles = Array.from({ length: hotCount }, (_, at) => {
    const needle = { volumeId: 2, needleId: BigInt(at + 1), cookie: randomInt(2 ** 32) };
    const bytes = newBytes(at);
    hot.append({ ...needle, data: bytes });
    return { ...needle, path: pathOf(needle), bytes };
  });
  hot.close();
  return {
    needles: shuffled(needles),
    hotNeedles: () => hotNeedles,
    newBytes,
    writerFor: (volumeServer) =>
      volumeServer.isReal ? overHttp(volumeServer.address) : intoFiles(dataDir),
  };
}

/** Writes in the volume server's order: the record into the .dat, its row into the .idx, then the acknowledgement. */
function intoFiles(dataDir: string): Writer {
  const writer = openVolume({ dir: dataDir, volumeId: 2 });
  return {
    put: async (needle, data) => {
      writer.append({ ...needle, data });
    },
    remove: async (needle) => {
      writer.delete(needle.needleId);
    },
    vacuum: () => {
      writer.vacuum();
    },
    close: () => writer.close(),
  };
}

/** The real volume server has the files: it is asked. */
function overHttp(address: string): Writer {
  const expect = async (
    needle: Sample,
    what: Omit<Question, 'path'>,
    allowed: readonly number[],
  ): Promise<void> => {
    const answer = await ask(address, { path: needle.path, ...what });
    if (!allowed.includes(answer.status)) {
      throw new Error(`${what.method} ${needle.path} was answered with ${answer.status}`);
    }
  };
  return {
    put: (needle, body) => {
      const headers = {
        'content-type': 'application/octet-stream',
        'content-length': `${body.length}`,
      };
      return expect(needle, { method: 'PUT', headers, body }, [201]);
    },
    remove: (needle) => expect(needle, { method: 'DELETE' }, [202]),
    // A vacuum is asked of the master, which decides when: the demo leaves that alone.
    vacuum: undefined,
    close: () => {},
  };
}

function newBytes(seed: number): Buffer {
  return randomBytes(500 + ((seed * 997) % 9000));
}

function textOf(bytes: number, seed: number): Buffer {
  const line = `${seed} the volume server appends to the .dat, then to the .idx, and only then acknowledges\n`;
  return Buffer.alloc(bytes, line);
}

function pathOf({ volumeId, needleId, cookie }: Omit<Sample, 'path' | 'bytes'>): string {
  return `/${formatFid(volumeId, needleId, cookie)}`;
}

function readFile(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, offset);
    return bytes;
  } finally {
    closeSync(file);
  }
}

function shuffled(needles: readonly Sample[]): readonly Sample[] {
  const result = [...needles];
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = randomInt(at + 1);
    [result[at], result[other]] = [result[other] as Sample, result[at] as Sample];
  }
  return result;
}
