/**
 * The requests in flight, by ticket: a small number that the native part carries through and gives back with the
 * completion. One book for each client; it owns the completion callback.
 */

import { CompletionReader, failureOf, VerdictRows } from './completion-reader.ts';
import { LeasePool } from './lease.ts';
import type { NativeClient, NativeTargetEvent } from './native-types.ts';
import type {
  FetchResult,
  PingResult,
  ReadCommand,
  ValidateItem,
  ValidateResult,
} from './needle-fetcher.ts';
import {
  commandF64,
  commandU32,
  commandU64,
  entryKind,
  itemsByte,
  itemsMax,
  itemU32,
  itemU64,
} from './shared-layout.ts';
import { statusNumbers } from './status.ts';

const overload = failureOf(statusNumbers.overload);

const noRows = new VerdictRows(new ArrayBuffer(0));

type Result = FetchResult | ValidateResult | PingResult;
type Resolve = (result: Result) => void;

/** The owner of requests: called when they end, and when its target's state changes. */
export interface BookOwner {
  onSettled(): void;
  onTargetEvent(event: NativeTargetEvent): void;
}

interface Entry {
  resolve: Resolve;
  command: ReadCommand | undefined;
  owner: BookOwner | undefined;
}

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
      this.#entries.push({ resolve: ignore, command: undefined, owner: undefined });
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
    if (ticket === undefined) return refuse(owner);
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
    return this.#enter(ticket, owner, command) as Promise<FetchResult>;
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
    return this.#enter(ticket, owner, undefined) as Promise<ValidateResult>;
  }

  ping(target: number, owner: BookOwner, timeoutMs: number): Promise<PingResult> {
    const ticket = this.#free.pop();
    if (ticket === undefined) return refuse(owner);
    this.#native.postPing(target, ticket, timeoutMs * 1e6);
    return this.#enter(ticket, owner, undefined) as Promise<PingResult>;
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

  #enter(ticket: number, owner: BookOwner, command: ReadCommand | undefined): Promise<Result> {
    const promise = new Promise<Result>(this.#capture);
    const entry = this.#entries[ticket] as Entry;
    entry.resolve = this.#resolve;
    // A resolver holds its promise, and that the lease.
    this.#resolve = ignore;
    entry.command = command;
    entry.owner = owner;
    return promise;
  }

  #settle(index: number, rows: VerdictRows): void {
    const ticket = this.#reader.ticket(index);
    const entry = this.#entries[ticket] as Entry;
    const { resolve, command, owner } = entry;
    entry.resolve = ignore;
    entry.command = undefined;
    entry.owner = undefined;
    this.#free.push(ticket);
    resolve(this.#result(index, command, rows));
    owner?.onSettled();
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

function refuse(owner: BookOwner): Promise<typeof overload> {
  owner.onSettled();
  return Promise.resolve(overload);
}

function ignore(): void {}
