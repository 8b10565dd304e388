/** A needle as a caller holds it: bytes in registered memory, until they are released. */
import { isCompressed, isManifest } from '../needle/record.ts';
import { RdmaMisuseError } from '../rdma/errors.ts';
import type { Lease } from '../rdma/lease.ts';
import type { Needle } from '../rdma/needle-fetcher.ts';

/** Facts about a needle. Texts are decoded as UTF-8. */
export interface NeedleMetadata {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** Stored data of the whole needle, in bytes; of a compressed needle: compressed bytes. */
  readonly storedBytes: number;
  /** '' where none is stored. */
  readonly name: string;
  readonly mime: string;
  /** Stored request headers as the JSON text that they were written with; '' where there are none. */
  readonly pairs: string;
  /** To the second; undefined: not stored. */
  readonly lastModified: Date | undefined;
  /** The time left by the target's clock when it answered; undefined: never expires. */
  readonly ttlLeftMs: number | undefined;
  /** When the record was appended, in ns since 1970; 0 in volume versions 1 and 2. */
  readonly appendedAtNs: bigint;
  /** The stored bytes are gzip. */
  readonly compressed: boolean;
  /** The stored bytes list the chunks of a larger file. */
  readonly manifest: boolean;
  /** CRC-32C of the whole needle's stored bytes, as its ETag shows it. */
  readonly checksum: number;
  /** 1, 2 or 3. */
  readonly volumeVersion: number;
}

export interface NeedleContent extends Disposable {
  /**
   * The bytes asked for. A view into memory that UCX writes to: valid until `release()`, after which the getter throws
   * RdmaMisuseError; a reference that was kept shows another needle's bytes then. `copy()` is for keeping.
   */
  readonly bytes: Uint8Array;
  /** Where `bytes` begins in the needle: the offset asked for, at most the needle's end. */
  readonly offset: number;
  /** The bytes were stored compressed, and were gunzipped for this read. */
  readonly decoded: boolean;
  /** Size of the whole needle: of the stored bytes, or of the decoded ones where `decoded`. */
  readonly totalBytes: number;
  readonly needle: NeedleMetadata;
  /** The target that answered: host:port, or "inproc". */
  readonly target: string;
  /** UCX's own name ("tcp", "posix", "rc_mlx5", …), or "inproc". */
  readonly transport: string;
  /** Copies the bytes to the heap, for keeping. Throws RdmaMisuseError after `release()`. */
  copy(): Uint8Array;
  /** Gives the memory back. Idempotent, and safe after the client was closed. */
  release(): void;
}

/** The parts of a content: all that it shows, and the memory behind it. */
export interface ContentParts
  extends Omit<NeedleContent, 'copy' | 'release' | typeof Symbol.dispose> {
  /** Absent where the bytes are on the heap, or none. */
  readonly lease: Lease | undefined;
}

export class LeasedNeedle implements NeedleContent {
  readonly offset: number;
  readonly decoded: boolean;
  readonly totalBytes: number;
  readonly needle: NeedleMetadata;
  readonly target: string;
  readonly transport: string;
  #bytes: Uint8Array | undefined;
  #lease: Lease | undefined;

  constructor(parts: ContentParts) {
    this.#bytes = parts.bytes;
    this.#lease = parts.lease;
    this.offset = parts.offset;
    this.decoded = parts.decoded;
    this.totalBytes = parts.totalBytes;
    this.needle = parts.needle;
    this.target = parts.target;
    this.transport = parts.transport;
  }

  get bytes(): Uint8Array {
    if (this.#bytes === undefined) {
      throw new RdmaMisuseError('the bytes of a needle that was released');
    }
    return this.#bytes;
  }

  copy(): Uint8Array {
    return new Uint8Array(this.bytes);
  }

  release(): void {
    this.#bytes = undefined;
    this.#lease?.release();
    this.#lease = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

export function metadataOf(needle: Needle): NeedleMetadata {
  const { volumeId, needleId, cookie, dataBytes, ttlLeftMs, lastModifiedSeconds } = needle;
  const { appendAtNs, checksum, volumeVersion, flags } = needle;
  return {
    volumeId,
    needleId,
    cookie,
    storedBytes: dataBytes,
    name: utf8(needle.name),
    mime: utf8(needle.mime),
    pairs: utf8(needle.pairs),
    lastModified: lastModifiedSeconds === 0 ? undefined : new Date(lastModifiedSeconds * 1000),
    ttlLeftMs,
    appendedAtNs: appendAtNs,
    compressed: isCompressed(flags),
    manifest: isManifest(flags),
    checksum,
    volumeVersion,
  };
}

/** Each character of a stored text is one byte (src/rdma/needle-fetcher.ts). */
function utf8(latin1: string): string {
  return latin1 === '' ? '' : Buffer.from(latin1, 'latin1').toString('utf8');
}
