/**
 * Types of the native part's exports for volumes on disk (native/addon/volume_binding.cc). Arguments are valid when
 * they get there.
 */

export interface NativeVolumeName {
  readonly dir: string;
  /** Empty: beside the .dat. */
  readonly idxDir: string;
  readonly collection: string;
  readonly volumeId: number;
}

/** Without `isNew` the volume exists, and says itself what follows its name here. */
export interface NativeWriterOptions extends NativeVolumeName {
  readonly isNew: boolean;
  readonly version: number;
  readonly replicaPlacement: number;
  readonly ttlCount: number;
  readonly ttlUnit: number;
  readonly offsetBytes: number;
}

export interface NativeNeedle {
  readonly needleId: bigint;
  readonly cookie: number;
  readonly data: Uint8Array;
  readonly name: Uint8Array;
  readonly mime: Uint8Array;
  readonly pairs: Uint8Array;
  readonly flags: number;
  readonly lastModifiedSeconds: number;
  readonly ttlCount: number;
  readonly ttlUnit: number;
  readonly appendedAtNs: bigint;
  readonly legacyChecksum: boolean;
}

export interface WrittenNeedle {
  /** In the .dat, bytes. */
  readonly offset: number;
  /** The size in the index: 0 for a needle without data. */
  readonly size: number;
}

export interface VacuumReport {
  /** Bytes of the .dat. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly needlesKept: number;
  /** Dropped by the volume server's rule: in a volume without ttl, every needle that has one. */
  readonly needlesExpired: number;
  readonly needlesUnreadable: number;
}

export interface NativeVolumeWriter {
  append(needle: NativeNeedle): WrittenNeedle;
  delete(needleId: bigint): boolean;
  vacuum(): VacuumReport;
  /** Idempotent. */
  close(): void;
}

export interface VolumeReport {
  readonly datPath: string;
  readonly idxPath: string;
  /** null: it cannot be read. */
  readonly superblock: {
    readonly version: number;
    /** dc*100 + rack*10 + node. */
    readonly replicaPlacement: number;
    readonly ttlCount: number;
    readonly ttlUnit: number;
    readonly compactionRevision: number;
    readonly extraBytes: number;
  } | null;
  /** Contents of the .vif; null where there is none that can be understood. */
  readonly info: {
    readonly isTiered: boolean;
    readonly isReadOnly: boolean;
    readonly offsetBytes: number;
    readonly version: number;
  } | null;
  readonly datBytes: number;
  readonly idxBytes: number;
  readonly putRows: number;
  readonly deleteRows: number;
  readonly liveCount: number;
  readonly deletedCount: number;
  /** Records of live needles, padding included. */
  readonly liveBytes: number;
  readonly garbageBytes: number;
  readonly problems: readonly string[];
}

export interface VerifyReport {
  readonly needlesChecked: number;
  readonly bytesChecked: number;
  readonly emptyNeedles: number;
  /** Stored in the form of volume servers before 3.09; readers accept it. */
  readonly legacyChecksums: number;
  readonly problemCount: number;
  /** The first 100. */
  readonly problems: readonly {
    readonly needleId: bigint;
    readonly offset: number;
    readonly text: string;
  }[];
}

export interface ListedNeedle {
  readonly needleId: bigint;
  readonly cookie: number;
  readonly offset: number;
  readonly size: number;
}

export interface ListedVolume {
  readonly volumeId: number;
  readonly collection: string;
  readonly datPath: string;
  readonly idxPath: string;
  /** Another volume of the same directory has the same id. */
  readonly isAmbiguous: boolean;
}

export interface NativeVolumeFiles {
  readonly VolumeWriter: new (options: NativeWriterOptions) => NativeVolumeWriter;
  inspectVolume(volume: NativeVolumeName): Promise<VolumeReport>;
  verifyVolume(
    volume: NativeVolumeName,
    onProgress?: (needlesDone: number, needlesTotal: number, bytesDone: number) => void,
  ): Promise<VerifyReport>;
  listNeedles(volume: NativeVolumeName, countMax: number): Promise<readonly ListedNeedle[]>;
  listVolumes(where: {
    readonly dirs: readonly string[];
    readonly idxDirs: readonly string[];
  }): Promise<readonly ListedVolume[]>;
}
