/** Which volumes a person means: a .dat file, a directory's volume, or all of a directory. */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { listVolumes, type VolumeName } from '../../rdma/volume-files.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface VolumeChoice {
  /** A directory, or a volume's .dat. */
  readonly path: string;
  readonly idxDir: string | undefined;
  /** Id of a volume of a directory; undefined: all. */
  readonly volumeId: number | undefined;
}

/** At least one. Throws ToolFailure when there is none. */
export async function volumesOf(choice: VolumeChoice): Promise<readonly VolumeName[]> {
  const { path, idxDir, volumeId } = choice;
  const places = idxDir === undefined ? {} : { idxDir };
  if (isFile(path)) return [{ ...nameOfFile(path), ...places }];
  const listed = await listVolumes([path], idxDir === undefined ? [] : [idxDir]);
  const meant = listed.filter((volume) => volumeId === undefined || volume.volumeId === volumeId);
  if (meant.length === 0) {
    throw new ToolFailure(`${path} holds no volume${volumeId === undefined ? '' : ` ${volumeId}`}`);
  }
  return meant.map((volume) => ({
    dir: path,
    collection: volume.collection,
    volumeId: volume.volumeId,
    ...places,
  }));
}

/** `7.dat`, or `collection_7.dat`. */
function nameOfFile(path: string): VolumeName {
  const match = /^(?:(.*)_)?(\d{1,10})\.(?:dat|idx)$/.exec(basename(path));
  if (match === null) {
    throw new ToolFailure(`${path} is not named like a volume: 7.dat, or collection_7.dat`);
  }
  return { dir: dirname(path), collection: match[1] ?? '', volumeId: Number(match[2]) };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    throw new ToolFailure(error instanceof Error ? error.message : String(error));
  }
}
