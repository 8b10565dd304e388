/** GET /status of an origin: the rows that a target's confirmation and a person look at, as the real server names them. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TargetVolume } from '../rdma/needle-fetcher.ts';
import { originVersion } from './origin-facts.ts';

const idxRowBytes = 16;

export async function statusText(
  dirs: readonly string[],
  volumes: Iterable<TargetVolume>,
): Promise<string> {
  const rows = await Promise.all([...volumes].map((volume) => statusRow(dirs, volume)));
  const found = rows.filter((row) => row !== undefined);
  return JSON.stringify({
    DiskStatuses: dirs.map((dir) => ({ dir })),
    Version: originVersion,
    Volumes: found.length === 0 ? null : found,
  });
}

/** Undefined when the files went away since the volume was listed. */
async function statusRow(
  dirs: readonly string[],
  volume: TargetVolume,
): Promise<object | undefined> {
  const { volumeId, collection } = volume;
  const base = collection === '' ? `${volumeId}` : `${collection}_${volumeId}`;
  for (const dir of dirs) {
    const data = await stat(join(dir, `${base}.dat`)).catch(() => undefined);
    const index = await stat(join(dir, `${base}.idx`)).catch(() => undefined);
    if (data === undefined || index === undefined) continue;
    return {
      Collection: collection,
      Size: data.size,
      ModifiedAtSecond: Math.floor(data.mtimeMs / 1000),
      Id: volumeId,
      FileCount: Math.floor(index.size / idxRowBytes),
      Version: volume.version,
      ReadOnly: false,
    };
  }
  return undefined;
}
