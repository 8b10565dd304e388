/**
 * Volumes on disk, as the tools and tests handle them: written in the form that a volume server loads, inspected and
 * verified beside a running one. Files that are missing, broken or held by another writer throw an Error whose message
 * names the path and the reason; a value out of range throws RdmaMisuseError.
 */
import { loadBinding } from './binding.ts';
import { RdmaMisuseError } from './errors.ts';
import type {
  ListedNeedle,
  ListedVolume,
  NativeVolumeName,
  NativeVolumeWriter,
  NativeWriterOptions,
  VacuumReport,
  VerifyReport,
  VolumeReport,
  WrittenNeedle,
} from './native-volume-types.ts';

export type { ListedNeedle, ListedVolume, VacuumReport, VerifyReport, VolumeReport, WrittenNeedle };

/** A time to live: 1 to 255 minutes, hours, days, weeks, months (of 30 days) or years (of 365). */
export interface Ttl {
  readonly count: number;
  readonly unit: 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';
}

export interface VolumeName {
  readonly dir: string;
  /** Where the .idx lies, unless beside the .dat. */
  readonly idxDir?: string;
  readonly collection?: string;
  readonly volumeId: number;
}

export interface NewVolume extends VolumeName {
  /** Default 3. */
  readonly version?: 1 | 2 | 3;
  readonly ttl?: Ttl;
  /** SeaweedFS's three digits: copies in other data centres, in other racks, on other nodes. Default "000". */
  readonly replication?: string;
  /** Default 4; 5 is for volume servers built with large_disk. */
  readonly offsetBytes?: 4 | 5;
}

export interface NeedleToWrite {
  readonly needleId: bigint;
  readonly cookie: number;
  /** Stored as it is; empty data loses all other fields. */
  readonly data: Uint8Array;
  /** At most 255 bytes, as UTF-8 where it is text; so is the mime type. */
  readonly name?: string | Uint8Array;
  readonly mime?: string | Uint8Array;
  /** Response headers; or the stored bytes themselves. */
  readonly pairs?: Readonly<Record<string, string>> | Uint8Array;
  /** Unix time. */
  readonly lastModifiedSeconds?: number;
  /** Default: the volume's. Expiry needs lastModifiedSeconds too, and counts from appendedAtNs. */
  readonly ttl?: Ttl;
  /** The data is gzip. */
  readonly compressed?: boolean;
  /** The data is a chunk manifest. */
  readonly manifest?: boolean;
  /** Stores the checksum as volume servers before 3.09 did. */
  readonly legacyChecksum?: boolean;
  /** Unix time, default now. */
  readonly appendedAtNs?: bigint;
}

export interface VolumeWriter {
  /** Overwrites too. When it returns, .dat and .idx have been written, in this order. */
  append(needle: NeedleToWrite): WrittenNeedle;
  /** False, and nothing is written, when the needle is not there. */
  delete(needleId: bigint): boolean;
  /** Leaves the live needles in new files, which replace the old ones in the volume server's order of renames. */
  vacuum(): VacuumReport;
  /** Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

export interface VerifyProgress {
  readonly needlesDone: number;
  readonly needlesTotal: number;
  readonly bytesDone: number;
}

const ttlUnits = ['none', 'minute', 'hour', 'day', 'week', 'month', 'year'];
const flagCompressed = 0x01;
const flagManifest = 0x80;
const noBytes = new Uint8Array();

/** A volume without needles; none of its files may exist. */
export function createVolume(volume: NewVolume): VolumeWriter {
  const ttl = nativeTtl(volume.ttl);
  return openWriter({
    ...nativeName(volume),
    isNew: true,
    version: checked('version', volume.version ?? 3, 1, 3),
    replicaPlacement: parseReplication(volume.replication ?? '000'),
    ...ttl,
    offsetBytes: checked('offsetBytes', volume.offsetBytes ?? 4, 4, 5),
  });
}

/** Not for a volume that a volume server has loaded: both would write to the same place. */
export function openVolume(volume: VolumeName): VolumeWriter {
  return openWriter({
    ...nativeName(volume),
    isNew: false,
    version: 0,
    replicaPlacement: 0,
    ttlCount: 0,
    ttlUnit: 0,
    offsetBytes: 0,
  });
}

/** Inspects a volume's files without reading the needles; `problems` is empty for a sound volume. */
export function inspectVolume(volume: VolumeName): Promise<VolumeReport> {
  return loadBinding().inspectVolume(nativeName(volume));
}

/** Reads every live needle and checks record, fields and checksum. */
export function verifyVolume(
  volume: VolumeName,
  onProgress?: (progress: VerifyProgress) => void,
): Promise<VerifyReport> {
  const tell =
    onProgress &&
    ((needlesDone: number, needlesTotal: number, bytesDone: number) =>
      onProgress({ needlesDone, needlesTotal, bytesDone }));
  return loadBinding().verifyVolume(nativeName(volume), tell);
}

/** The first `countMax` live needles by ascending id. */
export function listNeedles(
  volume: VolumeName,
  countMax: number,
): Promise<readonly ListedNeedle[]> {
  return loadBinding().listNeedles(
    nativeName(volume),
    checked('countMax', countMax, 0, Number.MAX_SAFE_INTEGER),
  );
}

/**
 * Lists volumes by ascending id; the first directory that holds an id wins. `idxDirs`: none, one for all, or one for
 * each.
 */
export function listVolumes(
  dirs: readonly string[],
  idxDirs: readonly string[] = [],
): Promise<readonly ListedVolume[]> {
  return loadBinding().listVolumes({ dirs, idxDirs });
}

/** Writes a fid as SeaweedFS does: whole bytes of the id, then the cookie. */
export function formatFid(volumeId: number, needleId: bigint, cookie: number): string {
  const id = needleId.toString(16);
  return `${volumeId},${id.length % 2 === 0 ? id : `0${id}`}${cookie.toString(16).padStart(8, '0')}`;
}

class NativeBackedWriter implements VolumeWriter {
  readonly #native: NativeVolumeWriter;

  constructor(native: NativeVolumeWriter) {
    this.#native = native;
  }

  append(needle: NeedleToWrite): WrittenNeedle {
    return this.#native.append({
      needleId: checkedUint64('needleId', needle.needleId),
      cookie: checked('cookie', needle.cookie, 0, 0xffffffff),
      data: needle.data,
      name: bytesOf('name', needle.name, 255),
      mime: bytesOf('mime', needle.mime, 255),
      pairs: pairsBytes(needle.pairs),
      flags: (needle.compressed ? flagCompressed : 0) | (needle.manifest ? flagManifest : 0),
      lastModifiedSeconds: checked(
        'lastModifiedSeconds',
        needle.lastModifiedSeconds ?? 0,
        0,
        2 ** 40 - 1,
      ),
      ...nativeTtl(needle.ttl),
      appendedAtNs: checkedUint64('appendedAtNs', needle.appendedAtNs ?? 0n),
      legacyChecksum: needle.legacyChecksum ?? false,
    });
  }

  delete(needleId: bigint): boolean {
    return this.#native.delete(checkedUint64('needleId', needleId));
  }

  vacuum(): VacuumReport {
    return this.#native.vacuum();
  }

  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openWriter(options: NativeWriterOptions): VolumeWriter {
  return new NativeBackedWriter(new (loadBinding().VolumeWriter)(options));
}

function nativeName(volume: VolumeName): NativeVolumeName {
  const collection = volume.collection ?? '';
  if (volume.dir === '') throw new RdmaMisuseError('dir is empty');
  if (collection.includes('/')) throw new RdmaMisuseError(`collection "${collection}" has a slash`);
  return {
    dir: volume.dir,
    idxDir: volume.idxDir ?? '',
    collection,
    volumeId: checked('volumeId', volume.volumeId, 0, 0xffffffff),
  };
}

function nativeTtl(ttl: Ttl | undefined): { readonly ttlCount: number; readonly ttlUnit: number } {
  if (ttl === undefined) return { ttlCount: 0, ttlUnit: 0 };
  return { ttlCount: checked('ttl', ttl.count, 1, 255), ttlUnit: ttlUnits.indexOf(ttl.unit) };
}

/** Stored in one byte as the number that the three digits are. */
function parseReplication(text: string): number {
  if (!/^[0-2][0-9][0-9]$/.test(text) || Number(text) > 255) {
    throw new RdmaMisuseError(`replication "${text}" is not three digits up to 255`);
  }
  return Number(text);
}

function bytesOf(
  what: string,
  value: string | Uint8Array | undefined,
  bytesMax: number,
): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value) : (value ?? noBytes);
  if (bytes.length > bytesMax) {
    throw new RdmaMisuseError(`${what} has ${bytes.length} bytes, at most ${bytesMax} fit`);
  }
  return bytes;
}

function pairsBytes(pairs: NeedleToWrite['pairs']): Uint8Array {
  const isText = pairs !== undefined && !(pairs instanceof Uint8Array);
  return bytesOf('pairs', isText ? JSON.stringify(pairs) : pairs, 0xffff);
}

function checked(what: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RdmaMisuseError(`${what} is ${value}, not a whole number from ${min} to ${max}`);
}

function checkedUint64(what: string, value: bigint): bigint {
  if (value >= 0n && value < 1n << 64n) return value;
  throw new RdmaMisuseError(`${what} is ${value}, not a number of 64 bits`);
}
