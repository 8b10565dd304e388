/**
 * How many of the volumes that the volume server lists the target serves. A target with other directories than its
 * volume server answers nothing, and every read passes: that must not look well.
 */
import { resolve } from 'node:path';
import type { CoverageStatus, VolumeIds } from '../admin/status.ts';
import type { TargetVolume } from '../rdma/needle-fetcher.ts';
import type { ServerList } from '../volume-server/served-volumes.ts';

/** A volume may be loading or vacuumed this long. */
export const coverageGraceMs = 10_000;
const idsShownMax = 20;

export interface VolumeCoverageOptions {
  /** `target.dirs`. */
  readonly dirs: readonly string[];
  /** The volumes that the target announces now. */
  readonly volumes: () => readonly TargetVolume[];
  /** Called when the volumes that have been missing for longer than the grace time are others than before. */
  readonly onChange: (change: { readonly isOk: boolean; readonly status: CoverageStatus }) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

type Place = 'served' | 'missing' | 'unserved' | 'tiered';

export class VolumeCoverage {
  readonly #options: VolumeCoverageOptions;
  readonly #now: () => number;
  #list: ServerList | undefined;
  /** Since when each listed volume has not been served. */
  #since = new Map<number, number>();
  /** The overdue volumes that were told; undefined: nothing was told yet. */
  #told: string | undefined;

  constructor(options: VolumeCoverageOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A poll that succeeded. */
  listed(list: ServerList): void {
    this.#list = list;
    const now = this.#now();
    const places = this.#places(list);
    const since = new Map<number, number>();
    for (const [volumeId, place] of places) {
      if (isNotServed(place)) since.set(volumeId, this.#since.get(volumeId) ?? now);
    }
    this.#since = since;
    this.#tell(places);
  }

  /** undefined: no poll has succeeded yet. */
  snapshot(): CoverageStatus | undefined {
    const list = this.#list;
    return list && this.#statusOf(list, this.#places(list));
  }

  /** The first time at the latest when the grace time is over; at once if every volume is served. */
  #tell(places: ReadonlyMap<number, Place>): void {
    const list = this.#list;
    if (list === undefined) return;
    const overdue = [...places].filter((row) => this.#isOverdue(...row)).map(([id]) => id);
    if (this.#told === undefined && overdue.length === 0 && this.#since.size > 0) return;
    const told = overdue.join();
    if (told === this.#told) return;
    this.#told = told;
    const status = this.#statusOf(list, places);
    this.#options.onChange({ isOk: overdue.length === 0, status });
  }

  #isOverdue(volumeId: number, place: Place): boolean {
    const since = this.#since.get(volumeId);
    return isNotServed(place) && since !== undefined && this.#now() - since >= coverageGraceMs;
  }

  #places({ volumes }: ServerList): ReadonlyMap<number, Place> {
    const own = new Map(this.#options.volumes().map((volume) => [volume.volumeId, volume]));
    return new Map(
      volumes.map(({ volumeId, isTiered }) => {
        return [volumeId, isTiered ? 'tiered' : placeOf(own.get(volumeId))] as const;
      }),
    );
  }

  #statusOf({ dirs }: ServerList, places: ReadonlyMap<number, Place>): CoverageStatus {
    const rows = [...places];
    const idsOf = (place: Place): VolumeIds => {
      const ids = rows.filter((row) => row[1] === place).map(([id]) => id);
      return { count: ids.length, first: ids.slice(0, idsShownMax) };
    };
    const missing = idsOf('missing');
    const unserved = idsOf('unserved');
    const tiered = idsOf('tiered').count;
    const listed = rows.length - tiered;
    const status = {
      listed,
      served: listed - missing.count - unserved.count,
      missing,
      unserved,
      tiered,
      overdue: rows.filter((row) => this.#isOverdue(...row)).length,
      serverDirs: dirs,
    };
    return { ...status, detail: detailOf(status, this.#options.dirs) };
  }
}

function placeOf(volume: TargetVolume | undefined): Place {
  if (volume === undefined) return 'missing';
  return volume.confirmed && volume.version !== 0 ? 'served' : 'unserved';
}

function isNotServed(place: Place): boolean {
  return place === 'missing' || place === 'unserved';
}

function detailOf(
  { listed, served, missing, unserved, serverDirs }: Omit<CoverageStatus, 'detail'>,
  dirs: readonly string[],
): string {
  if (listed === 0) return 'the volume server lists no volume';
  if (served === listed) return `all ${listed} volumes that the volume server lists are served`;
  const parts: string[] = [];
  if (missing.count > 0) {
    const found = listed - missing.count;
    parts.push(`${found} of ${listed} volumes that the volume server lists are in target.dirs`);
    parts.push(`missing: ${idsText(missing)}`);
    parts.push(dirsText(serverDirs, dirs));
  }
  if (unserved.count > 0) {
    parts.push(
      `${served} of ${listed} volumes that the volume server lists are served; in target.dirs, but not loaded or not confirmed: ${idsText(unserved)}`,
    );
  }
  return parts.join('; ');
}

/** The volume server may run in another container: then its names tell nothing here, and are shown all the same. */
function dirsText(serverDirs: readonly string[], dirs: readonly string[]): string {
  const own = dirs.map((dir) => resolve(dir));
  const ours = `target.dirs is ${own.join(', ')}`;
  const others = serverDirs.filter((dir) => !own.includes(resolve(dir)));
  if (serverDirs.length === 0) return ours;
  if (others.length > 0) {
    return `${ours}, the volume server's directories are ${serverDirs.join(', ')}: add ${others.join(', ')}`;
  }
  return `${ours}, which are the volume server's directories: look at target.idx_dirs and the permissions`;
}

export function idsText({ count, first }: VolumeIds): string {
  const more = count - first.length;
  return `${first.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
