/**
 * The requests in flight, by ticket: a small number that the native part carries through and gives back with the
 * completion. One book for each client; it writes the commands, owns the completion callback and reads the completions.
 */

import { LeasePool } from './lease.ts';
import type { NativeClient, NativeTargetEvent } from './native-types.ts';
import type {
  FetchResult,
  PingResult,
  ReadCommand,
  ValidateItem,
  ValidateResult,
  ValidateVerdict,
} from './needle-fetcher.ts';
import {
  commandF64,
  commandU32,
  commandU64,
  entryBytes,
  entryF64,
  entryKind,
  entryU32,
  entryU64,
  itemsByte,
  itemsMax,
  itemU32,
  itemU64,
  replyFlag,
  rowFlagLeased,
  rowU32,
  rowU64,
  verdictNames,
} from './shared-layout.ts';
import { failureOf, statusNumbers } from './status.ts';

const overload = failureOf(statusNumbers.overload);

export type Result = FetchResult | ValidateResult | PingResult;
type Resolve = (result: Result) => void;

/** The owner of requests: called when they end, and when its target's state changes. */
export interface BookOwner {
  /** `postedAtMs`: monotonic, of a READ; undefined for other requests. */
  onSettled(result: Result, postedAtMs: number | undefined): void;
  onTargetEvent(event: NativeTargetEvent): void;
}

interface Entry {
  resolve: Resolve;
  command: ReadCommand | undefined;
  postedAtMs: number | undefined;
  owner: BookOwner | undefined;
}

const noEntry: Entry = {
  resolve: ignore,
  command: undefined,
  postedAtMs: undefined,
  owner: undefined,
};

export class RequestBook {
  readonly #entries: Entry[] = [];
  readonly #free: number[] = [];
  readonly #owners = new Map<number, BookOwner>();
  readonly #native: NativeClient;
  readonly #reader: CompletionReader;
  readonly #leases: LeasePool;
  readonly #commandU64: BigUint64Array;
  readonly #commandU32: Uint32Array;
  readonly #commandF64: Float64Array;
  readonly #itemsU64: BigUint64Array;
  readonly #itemsU32: Uint32Array;
  #resolve: Resolve = ignore;
  /** Makes the resolver of a new promise reachable without a closure for each. */
  readonly #capture = (resolve: Resolve): void => {
    this.#resolve = resolve;
  };

  /** `connect` makes the native client around the callback. */
  constructor(requestsMax: number, connect: (onBatch: RequestBook['onBatch']) => NativeClient) {
    for (let ticket = requestsMax - 1; ticket >= 0; ticket -= 1) this.#free.push(ticket);
    for (let ticket = 0; ticket < requestsMax; ticket += 1) {
      this.#entries.push({ ...noEntry });
    }
    const native = connect(this.onBatch);
    this.#native = native;
    this.#leases = new LeasePool((handle) => native.release(handle), native.arena);
    this.#reader = new CompletionReader(native.ring, native.arena, this.#leases);
    this.#commandU64 = new BigUint64Array(native.command);
    this.#commandU32 = new Uint32Array(native.command);
    this.#commandF64 = new Float64Array(native.command);
    this.#itemsU64 = new BigUint64Array(native.command, itemsByte);
    this.#itemsU32 = new Uint32Array(native.command, itemsByte);
  }

  get native(): NativeClient {
    return this.#native;
  }

  get leaseLeaks(): number {
    return this.#leases.leaks;
  }

  get requestsInFlight(): number {
    return this.#entries.length - this.#free.length;
  }

  /** Events of `target` go to `owner` from now on. */
  own(target: number, owner: BookOwner): void {
    this.#owners.set(target, owner);
  }

  disown(target: number): void {
    this.#owners.delete(target);
  }

  read(target: number, owner: BookOwner, command: ReadCommand): Promise<FetchResult> {
    const ticket = this.#free.pop();
    const postedAtMs = performance.now();
    if (ticket === undefined) return refuse(owner, postedAtMs);
    this.#commandU64[commandU64.needleId] = command.needleId;
    this.#commandU32[commandU32.volumeId] = command.volumeId;
    this.#commandU32[commandU32.cookie] = command.cookie;
    this.#commandU32[commandU32.metadataOnly] = command.metadataOnly ? 1 : 0;
    this.#commandF64[commandF64.offset] = command.offset;
    this.#commandF64[commandF64.length] = command.length;
    this.#commandF64[commandF64.wholeBytesMax] = command.wholeBytesMax;
    this.#commandF64[commandF64.budgetBytes] = command.budgetBytes;
    this.#commandF64[commandF64.timeoutNs] = command.timeoutMs * 1e6;
    this.#native.postRead(target, ticket);
    return this.#enter(ticket, owner, command, postedAtMs) as Promise<FetchResult>;
  }

  /** At most `itemsMax` items. */
  validate(
    target: number,
    owner: BookOwner,
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs: number,
  ): Promise<ValidateResult> {
    if (items.length > itemsMax) throw new RangeError(`more than ${itemsMax} items to validate`);
    const ticket = this.#free.pop();
    if (ticket === undefined) return refuse(owner);
    for (const [index, item] of items.entries()) {
      this.#itemsU64[index * itemU64.words + itemU64.epoch] = item.epoch;
      this.#itemsU64[index * itemU64.words + itemU64.position] = item.position;
      this.#itemsU32[index * itemU32.words + itemU32.volumeId] = item.volumeId;
    }
    this.#native.postValidate(target, ticket, items.length, timeoutMs * 1e6, leaseMs);
    return this.#enter(ticket, owner) as Promise<ValidateResult>;
  }

  ping(target: number, owner: BookOwner, timeoutMs: number): Promise<PingResult> {
    const ticket = this.#free.pop();
    if (ticket === undefined) return refuse(owner);
    this.#native.postPing(target, ticket, timeoutMs * 1e6);
    return this.#enter(ticket, owner) as Promise<PingResult>;
  }

  readonly onBatch = (
    count: number,
    verdicts: ArrayBuffer | undefined,
    events: readonly NativeTargetEvent[] | undefined,
  ): void => {
    const rows = verdicts === undefined ? noRows : new VerdictRows(verdicts);
    for (let index = 0; index < count; index += 1) this.#settle(index, rows);
    // Last: a listener of theirs may throw, and no completion may be lost by that.
    if (events !== undefined) this.#announce(events);
  };

  #enter(
    ticket: number,
    owner: BookOwner,
    command?: ReadCommand,
    postedAtMs?: number,
  ): Promise<Result> {
    const promise = new Promise<Result>(this.#capture);
    const entry = this.#entries[ticket] as Entry;
    entry.resolve = this.#resolve;
    // A resolver holds its promise, and that the lease.
    this.#resolve = ignore;
    entry.command = command;
    entry.postedAtMs = postedAtMs;
    entry.owner = owner;
    return promise;
  }

  #settle(index: number, rows: VerdictRows): void {
    const ticket = this.#reader.ticket(index);
    const entry = this.#entries[ticket] as Entry;
    const { resolve, command, postedAtMs, owner } = entry;
    entry.resolve = ignore;
    entry.command = undefined;
    entry.postedAtMs = undefined;
    entry.owner = undefined;
    this.#free.push(ticket);
    const result = this.#result(index, command, rows);
    resolve(result);
    owner?.onSettled(result, postedAtMs);
  }

  #result(index: number, command: ReadCommand | undefined, rows: VerdictRows): Result {
    const kind = this.#reader.kind(index);
    if (kind === entryKind.read && command !== undefined)
      return this.#reader.needle(index, command);
    if (kind === entryKind.pong) return this.#reader.pong(index);
    return this.#reader.validation(index, rows);
  }

  #announce(events: readonly NativeTargetEvent[]): void {
    const errors: unknown[] = [];
    for (const event of events) {
      try {
        this.#owners.get(event.target)?.onTargetEvent(event);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

function refuse(owner: BookOwner, postedAtMs?: number): Promise<typeof overload> {
  owner.onSettled(overload, postedAtMs);
  return Promise.resolve(overload);
}

function ignore(): void {}

const entryWords = entryBytes / 4;
const entryLongs = entryBytes / 8;

/** Turns entries of the completion ring into what the port promises. Reads memory, keeps none of it. */
class CompletionReader {
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
class VerdictRows {
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

const noRows = new VerdictRows(new ArrayBuffer(0));
