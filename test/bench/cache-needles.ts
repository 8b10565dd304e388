/** The needles that cache-bench.ts asks for. */
import { SampleVolume } from '../contract/sample-volume.ts';

export interface Needles {
  readonly bytes: number;
  /** Of their URLs. */
  readonly paths: readonly string[];
}

const volumeId = 3;
const kibibyte = 1024;
const shapes = [
  { bytes: 4 * kibibyte, count: 1000 },
  { bytes: 64 * kibibyte, count: 64 },
  { bytes: 256 * kibibyte, count: 16 },
  { bytes: 1024 * kibibyte, count: 8 },
  { bytes: 4096 * kibibyte, count: 4 },
];

/** One volume with all of them; by size, the smallest first. */
export function writeNeedles(dir: string): readonly Needles[] {
  const volume = new SampleVolume(dir, volumeId);
  let needleId = 0n;
  const all = shapes.map(({ bytes, count }) => {
    const paths: string[] = [];
    for (let i = 0; i < count; i += 1) {
      needleId += 1n;
      volume.put(needleId, Buffer.alloc(bytes, Number(needleId % 251n)), { mime: 'image/jpeg' });
      paths.push(`/${volumeId},${needleId.toString(16)}00000001`);
    }
    return { bytes, paths };
  });
  volume.close();
  return all;
}
