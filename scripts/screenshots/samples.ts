/** Needles for the pictures: most of them small, some of them larger, and one that is a picture itself. */
import { randomBytes, randomInt } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';

export interface Sample {
  readonly fid: string;
  readonly bytes: number;
}

export interface Samples {
  readonly picture: Sample;
  readonly needles: readonly Sample[];
}

const plan = [
  { count: 300, bytes: 4_096 },
  { count: 60, bytes: 65_536 },
  { count: 6, bytes: 1_048_576 },
];

export function createSamples(dir: string): Samples {
  const volume = createVolume({ dir, volumeId: 3 });
  let needleId = 1n;
  const append = (data: Buffer, mime: string): Sample => {
    const needle = { needleId: needleId++, cookie: randomInt(2 ** 32) };
    volume.append({ ...needle, data, mime });
    return { fid: formatFid(3, needle.needleId, needle.cookie), bytes: data.length };
  };
  const picture = append(png(320, 200), 'image/png');
  const needles = plan.flatMap(({ count, bytes }) =>
    Array.from({ length: count }, () => append(randomBytes(bytes), 'application/octet-stream')),
  );
  volume.close();
  return { picture, needles };
}

/** A coloured gradient: https://www.w3.org/TR/png-3/, colour type 2, no filter. */
export function png(width: number, height: number): Buffer {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const wave = Math.sin(x / 28 + Math.sin(y / 34) * 2);
      const at = y * (1 + 3 * width) + 1 + 3 * x;
      rows[at] = 20 + 30 * wave;
      rows[at + 1] = 90 + 60 * wave + (60 * y) / height;
      rows[at + 2] = 120 + 60 * wave;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
