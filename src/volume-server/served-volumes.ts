/** The body of a volume server's `GET /status` → the volumes that it serves, and where. Pure; nothing in it is trusted. */
import type { ServedVolume } from '../rdma/target-host.ts';

export interface ListedVolume extends ServedVolume {
  /** True if the volume's data lies in a remote tier. */
  readonly isTiered: boolean;
}

export interface ServerList {
  readonly volumes: readonly ListedVolume[];
  /** The volume server's directories, by their names on its host. */
  readonly dirs: readonly string[];
}

export type StatusBody =
  | ({ readonly kind: 'served' } & ServerList)
  | { readonly kind: 'malformed'; readonly detail: string };

/** Erasure coded volumes are not listed there. A server without volumes answers `"Volumes": null`. */
export function servedVolumes(body: string): StatusBody {
  const status = parseJson(body);
  if (!isRecord(status)) return { kind: 'malformed', detail: 'the body is not a JSON object' };
  if (!Object.hasOwn(status, 'Volumes')) return { kind: 'malformed', detail: 'no "Volumes" in it' };
  const { Volumes: rows, DiskStatuses: disks } = status;
  const dirs = directoriesOf(disks);
  if (rows === null) return { kind: 'served', volumes: [], dirs };
  if (!Array.isArray(rows)) return { kind: 'malformed', detail: '"Volumes" is not a list' };
  const volumes: ListedVolume[] = [];
  for (const row of rows) {
    const volume = servedVolume(row);
    // A list that is not understood whole confirms nothing.
    if (volume === undefined)
      return { kind: 'malformed', detail: `volume ${volumes.length} of the list` };
    volumes.push(volume);
  }
  return { kind: 'served', volumes, dirs };
}

const volumeIdMax = 2 ** 32 - 1;

/** Nothing depends on them: what is not understood is left out. */
function directoriesOf(disks: unknown): readonly string[] {
  if (!Array.isArray(disks)) return [];
  return disks.flatMap((disk: unknown) => {
    if (!isRecord(disk)) return [];
    const { dir } = disk;
    return typeof dir === 'string' ? [dir] : [];
  });
}

function servedVolume(row: unknown): ListedVolume | undefined {
  if (!isRecord(row)) return undefined;
  const { Id: volumeId, Size: sizeBytes, FileCount: fileCount } = row;
  const { ModifiedAtSecond: modifiedAtSeconds } = row;
  if (!isCount(volumeId) || volumeId > volumeIdMax) return undefined;
  if (!isCount(sizeBytes) || !isCount(fileCount)) return undefined;
  if (typeof modifiedAtSeconds !== 'number' || !Number.isSafeInteger(modifiedAtSeconds))
    return undefined;
  const { RemoteStorageName: tier } = row;
  const isTiered = typeof tier === 'string' && tier !== '';
  return { volumeId, sizeBytes, fileCount, modifiedAtSeconds, isTiered };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
