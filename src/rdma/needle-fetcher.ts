/**
 * The port between the HTTP side and the targets: one contract, two implementations (`ucx`, `inproc`).
 * Knows no HTTP. Expected outcomes are returned, never thrown.
 */
import type { Lease } from './lease.ts';
import type { RailStatus } from './rails/rail-status.ts';
import type { StatusName } from './status.ts';
import type { TargetCounts, TargetState, TargetVolume } from './target-state.ts';

/** The facts in an answer to a client. Strings are latin1: one character is one stored byte. */
export interface NeedleFacts {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** Volume generation and applied index bytes of the answer (docs/architecture.md, "Coherence"). */
  readonly epoch: bigint;
  readonly position: bigint;
  /** The record's flag byte; see needle/flags.ts. */
  readonly flags: number;
  /** Stored data, in bytes; compressed needles: compressed bytes. */
  readonly dataBytes: number;
  /** The checksum in the ETag: the computed checksum of a whole needle, the stored one of a stream needle. */
  readonly checksum: number;
  /** 0: none. */
  readonly lastModifiedSeconds: number;
  readonly name: string;
  readonly mime: string;
  readonly pairs: string;
}

/** A needle as a target answered it. */
export interface Needle extends NeedleFacts {
  /** Version in the superblock: 1, 2 or 3. */
  readonly volumeVersion: number;
  /** The size in the index row; over 1 MiB, uncompressed and no manifest: `isStream`. */
  readonly indexBytes: number;
  /** The volume server would read it metadata-only and stream the data (specification 6.2). */
  readonly isStream: boolean;
  /** 0 in volume versions 1 and 2. */
  readonly appendAtNs: bigint;
  /** The time left by the target's clock when it answered; undefined: never expires. */
  readonly ttlLeftMs: number | undefined;
}

/** Stored bytes `[offset, offset + view.length)` of a needle. The view is valid until the lease is released. */
export interface NeedleData {
  readonly offset: number;
  readonly view: Buffer;
  readonly lease: Lease;
}

export interface ReadCommand {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** First byte wanted of the stored data; `length` past the end is cut. */
  readonly offset: number;
  readonly length: number;
  /** A needle whose stored data is at most this long is answered whole, whatever the range asked for. */
  readonly wholeBytesMax: number;
  /** Over this the target answers `too_large`. */
  readonly budgetBytes: number;
  readonly metadataOnly: boolean;
  readonly timeoutMs: number;
}

/** `data` is absent for metadata only, and for a range that starts at or past the end. */
export type FetchResult =
  | { readonly kind: 'needle'; readonly needle: Needle; readonly data: NeedleData | undefined }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

export interface ValidateItem {
  readonly volumeId: number;
  readonly epoch: bigint;
  readonly position: bigint;
}

export interface ValidateVerdict {
  readonly volumeId: number;
  readonly epoch: bigint;
  readonly position: bigint;
  readonly verdict: 'changed' | 'flush' | 'gone' | 'unconfirmed';
  readonly changedIds: readonly bigint[];
  /**
   * A lease was granted: until `leaseMs` after this validation was posted, each change of the volume past `position` is
   * pushed. Only with `changed` and `flush`.
   */
  readonly leased: boolean;
}

/**
 * A target's push for a leased volume: the changes past `from` up to `to`. It may tell again what a validation told;
 * one whose `from` is past what the holder knows means that it missed a push. `flush`: another generation, too many
 * ids, or a volume that is gone or unconfirmed; the lease is over.
 */
export interface VolumeChange {
  readonly volumeId: number;
  readonly epoch: bigint;
  readonly from: bigint;
  readonly to: bigint;
  readonly changedIds: readonly bigint[] | 'flush';
}

export type ValidateResult =
  | { readonly kind: 'verdicts'; readonly verdicts: readonly ValidateVerdict[] }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

export type PingResult =
  | {
      readonly kind: 'pong';
      readonly roundTripUs: number;
      readonly requestsInFlight: number;
      readonly sessions: number;
      readonly arenaBytes: number;
      readonly arenaBytesUsed: number;
    }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

export type { TargetCounts, TargetState, TargetVolume };

/** One read that has ended. */
export interface ReadRecord {
  readonly status: StatusName;
  readonly durationMs: number;
  readonly bytesReceived: number;
}

export interface NeedleFetcher {
  /** The address as configured: "host:port", or "inproc". */
  readonly address: string;
  /** One object for as long as a session lasts: leases are the session's. */
  readonly state: TargetState;
  readonly volumes: ReadonlyMap<number, TargetVolume>;
  readonly counts: TargetCounts;
  /** The ways to the target, of a fetcher that has several. */
  readonly rails?: readonly RailStatus[];
  /** Called after each change of `state` or `volumes`. */
  onChange(listener: () => void): void;
  read(command: ReadCommand): Promise<FetchResult>;
  /** Called for each change of a leased volume; a session that is lost ends its leases without a call. */
  onVolumeChanged(listener: (change: VolumeChange) => void): void;
  /**
   * `leaseMs` over 0 asks for the changes of these volumes to be pushed that long (at most 60,000: RangeError); 0 or absent
   * leaves their leases as they are. `inproc` grants none: validating costs it a stat, no round trip.
   */
  validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs?: number,
  ): Promise<ValidateResult>;
  ping(timeoutMs: number): Promise<PingResult>;
  /** Idempotent; requests in flight end as `closed`. */
  close(): Promise<void>;
}
