/** Turns entries of the completion ring into what the port promises. Reads memory, keeps none of it. */
import type { LeasePool } from './lease.ts';
import type {
  FetchResult,
  PingResult,
  ReadCommand,
  ValidateResult,
  ValidateVerdict,
} from './needle-fetcher.ts';
import {
  entryBytes,
  entryF64,
  entryU32,
  entryU64,
  replyFlag,
  rowFlagLeased,
  rowU32,
  rowU64,
  verdictNames,
} from './shared-layout.ts';
import { type StatusName, statusNumbers } from './status.ts';

const entryWords = entryBytes / 4;
const entryLongs = entryBytes / 8;

type Failure = { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

const failures = new Map<number, Failure>();
for (const [name, number] of Object.entries(statusNumbers)) {
  if (name !== 'ok') {
    failures.set(number, { kind: 'failed', status: name as Exclude<StatusName, 'ok'> });
  }
}
const unknownFailure: Failure = { kind: 'failed', status: 'protocol_error' };

export function failureOf(status: number): Failure {
  return failures.get(status) ?? unknownFailure;
}

export class CompletionReader {
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #u64: BigUint64Array;
  readonly #arenaMemory: ArrayBuffer;
  readonly #arena: Buffer;
  readonly #leases: LeasePool;

  constructor(ring: ArrayBuffer, arena: ArrayBuffer, leases: LeasePool) {
    this.#u32 = new Uint32Array(ring);
    this.#f64 = new Float64Array(ring);
    this.#u64 = new BigUint64Array(ring);
    this.#arenaMemory = arena;
    this.#arena = Buffer.from(arena);
    this.#leases = leases;
  }

  kind(index: number): number {
    return this.#word(index, entryU32.kind);
  }

  ticket(index: number): number {
    return this.#word(index, entryU32.ticket);
  }

  needle(index: number, command: ReadCommand): FetchResult {
    const status = this.#word(index, entryU32.status);
    if (status !== statusNumbers.ok) return failureOf(status);
    const packed = this.#word(index, entryU32.packed);
    const replyFlags = this.#word(index, entryU32.replyFlags);
    const dataBytes = this.#number(index, entryF64.dataBytes);
    const payload = this.#number(index, entryF64.payloadOffset);
    const nameStart = payload + dataBytes;
    const mimeStart = nameStart + (packed & 0xff);
    const pairsStart = mimeStart + ((packed >>> 8) & 0xff);
    const pairsEnd = pairsStart + this.#word(index, entryU32.pairsBytes);
    const needle = {
      volumeId: command.volumeId,
      needleId: command.needleId,
      cookie: command.cookie,
      epoch: this.#long(index, entryU64.epoch),
      position: this.#long(index, entryU64.position),
      volumeVersion: packed >>> 24,
      flags: (packed >>> 16) & 0xff,
      indexBytes: this.#word(index, entryU32.indexBytes),
      dataBytes: this.#number(index, entryF64.dataBytesTotal),
      checksum: this.#word(index, entryU32.checksum),
      isStream: (replyFlags & replyFlag.stream) !== 0,
      lastModifiedSeconds: this.#number(index, entryF64.lastModifiedSeconds),
      appendAtNs: this.#long(index, entryU64.appendAtNs),
      ttlLeftMs:
        (replyFlags & replyFlag.ttl) === 0 ? undefined : this.#number(index, entryF64.ttlLeftMs),
      name: this.#text(nameStart, mimeStart),
      mime: this.#text(mimeStart, pairsStart),
      pairs: this.#text(pairsStart, pairsEnd),
    };
    const handle = this.#word(index, entryU32.lease);
    if (handle === 0) return { kind: 'needle', needle, data: undefined };
    const lease = this.#leases.take(handle, dataBytes);
    if (dataBytes === 0) {
      lease.release();
      return { kind: 'needle', needle, data: undefined };
    }
    const offset = this.#number(index, entryF64.dataOffset);
    const view = Buffer.from(this.#arenaMemory, payload, dataBytes);
    return { kind: 'needle', needle, data: { offset, view, lease } };
  }

  pong(index: number): PingResult {
    const status = this.#word(index, entryU32.status);
    if (status !== statusNumbers.ok) return failureOf(status);
    return {
      kind: 'pong',
      roundTripUs: this.#number(index, entryF64.roundTripUs),
      requestsInFlight: this.#word(index, entryU32.requestsInFlight),
      sessions: this.#word(index, entryU32.sessions),
      arenaBytes: this.#number(index, entryF64.arenaBytes),
      arenaBytesUsed: this.#number(index, entryF64.arenaBytesUsed),
    };
  }

  validation(index: number, rows: VerdictRows): ValidateResult {
    const status = this.#word(index, entryU32.status);
    if (status !== statusNumbers.ok) return failureOf(status);
    const verdicts: ValidateVerdict[] = [];
    for (let left = this.#word(index, entryU32.rows); left > 0; left -= 1) {
      verdicts.push(rows.take());
    }
    return { kind: 'verdicts', verdicts };
  }

  #word(index: number, field: number): number {
    return this.#u32[index * entryWords + field] as number;
  }

  #number(index: number, field: number): number {
    return this.#f64[index * entryLongs + field] as number;
  }

  #long(index: number, field: number): bigint {
    return this.#u64[index * entryLongs + field] as bigint;
  }

  #text(start: number, end: number): string {
    return start === end ? '' : this.#arena.toString('latin1', start, end);
  }
}

/** Takes the verdict rows of one batch in order. */
export class VerdictRows {
  readonly #u64: BigUint64Array;
  readonly #u32: Uint32Array;
  #at = 0;

  constructor(memory: ArrayBuffer) {
    this.#u64 = new BigUint64Array(memory);
    this.#u32 = new Uint32Array(memory);
  }

  take(): ValidateVerdict {
    const at = this.#at;
    const idsStart = at + rowU64.words;
    const idsEnd = idsStart + this.#word(at, rowU32.idCount);
    this.#at = idsEnd;
    const verdictFlags = this.#word(at, rowU32.verdictFlags);
    return {
      volumeId: this.#word(at, rowU32.volumeId),
      epoch: this.#u64[at + rowU64.epoch] as bigint,
      position: this.#u64[at + rowU64.position] as bigint,
      verdict: verdictNames[verdictFlags & 0xffff] ?? 'flush',
      changedIds: Array.from(this.#u64.subarray(idsStart, idsEnd)),
      leased: ((verdictFlags >>> 16) & rowFlagLeased) !== 0,
    };
  }

  #word(at: number, field: number): number {
    return this.#u32[at * 2 + field] as number;
  }
}
