/** The body of a volume server's `GET /status` → the volumes that it serves. Pure; nothing in it is trusted. */
import type { ServedVolume } from '../rdma/target-host.ts';

export type StatusBody =
  | { readonly kind: 'served'; readonly volumes: readonly ServedVolume[] }
  | { readonly kind: 'malformed'; readonly detail: string };

/** Erasure coded volumes are not listed there. A server without volumes answers `"Volumes": null`. */
export function servedVolumes(body: string): StatusBody {
  const status = parseJson(body);
  if (!isRecord(status)) return { kind: 'malformed', detail: 'the body is not a JSON object' };
  if (!Object.hasOwn(status, 'Volumes')) return { kind: 'malformed', detail: 'no "Volumes" in it' };
  const { Volumes: rows } = status;
  if (rows === null) return { kind: 'served', volumes: [] };
  if (!Array.isArray(rows)) return { kind: 'malformed', detail: '"Volumes" is not a list' };
  const volumes: ServedVolume[] = [];
  for (const row of rows) {
    const volume = servedVolume(row);
    // A list that is not understood whole confirms nothing.
    if (volume === undefined)
      return { kind: 'malformed', detail: `volume ${volumes.length} of the list` };
    volumes.push(volume);
  }
  return { kind: 'served', volumes };
}

const volumeIdMax = 2 ** 32 - 1;

function servedVolume(row: unknown): ServedVolume | undefined {
  if (!isRecord(row)) return undefined;
  const { Id: volumeId, Size: sizeBytes, FileCount: fileCount } = row;
  const { ModifiedAtSecond: modifiedAtSeconds } = row;
  if (!isCount(volumeId) || volumeId > volumeIdMax) return undefined;
  if (!isCount(sizeBytes) || !isCount(fileCount)) return undefined;
  if (typeof modifiedAtSeconds !== 'number' || !Number.isSafeInteger(modifiedAtSeconds))
    return undefined;
  return { volumeId, sizeBytes, fileCount, modifiedAtSeconds };
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
