/** Needles to read for a measurement, found in a volume server's directories. */
import { listNeedles, listVolumes } from '../rdma/volume-files.ts';
import type { NeedleName } from './needle-name.ts';
import { ToolFailure } from './tool-failure.ts';

interface Candidate extends NeedleName {
  readonly bytes: number;
}

const perVolumeMax = 100_000;

/** Up to `countMax` live needles of the size that lies nearest to `bytes`, larger ones first. */
export async function sampleNeedles(
  dirs: readonly string[],
  bytes: number,
  countMax: number,
): Promise<readonly NeedleName[]> {
  const candidates: Candidate[] = [];
  for (const { volumeId, collection, datPath } of await listVolumes(dirs)) {
    const dir = datPath.slice(0, datPath.lastIndexOf('/'));
    const listed = await listNeedles({ dir, collection, volumeId }, perVolumeMax).catch(() => []);
    for (const { needleId, cookie, size } of listed) {
      if (size > 0) candidates.push({ volumeId, needleId, cookie, bytes: size });
    }
  }
  if (candidates.length === 0) throw new ToolFailure(`no needles in ${dirs.join(', ')}`);
  // The index's size is a little more than the data's, so a needle that is large enough comes first.
  const distance = ({ bytes: has }: Candidate): number =>
    has >= bytes ? has - bytes : bytes - has + 2 ** 40;
  return candidates.toSorted((a, b) => distance(a) - distance(b)).slice(0, countMax);
}
