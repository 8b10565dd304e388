/** The needles that the benches ask for. */
import { SampleVolume } from '../test/contract/sample-volume.ts';

export interface Needles {
  readonly bytes: number;
  /** Paths of their URLs. */
  readonly paths: readonly string[];
}

export interface NeedleShape {
  readonly bytes: number;
  readonly count: number;
}

const volumeId = 3;
const kibibyte = 1024;
const cacheShapes: readonly NeedleShape[] = [
  { bytes: 4 * kibibyte, count: 1000 },
  { bytes: 64 * kibibyte, count: 64 },
  { bytes: 256 * kibibyte, count: 16 },
  { bytes: 1024 * kibibyte, count: 8 },
  { bytes: 4096 * kibibyte, count: 4 },
  { bytes: 16_384 * kibibyte, count: 2 },
];

/** One volume with all of them, in the order of the shapes. */
export function writeNeedles(
  dir: string,
  shapes: readonly NeedleShape[] = cacheShapes,
): readonly Needles[] {
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
