/** The port over the native client: one target's requests, state and volumes. Connecting is its connector's part. */

import type { NativeTargetEvent } from './native-types.ts';
import type {
  FetchResult,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  ReadRecord,
  TargetCounts,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  ValidateVerdict,
  VolumeChange,
} from './needle-fetcher.ts';
import type { BookOwner, RequestBook, Result } from './request-book.ts';
import { itemsMax, leaseMsMax, verdictNames } from './shared-layout.ts';
import { failureOf, type StatusName, statusNumbers } from './status.ts';
import { withMeaning } from './ucx-addresses.ts';

type NativeVolumeChange = Extract<NativeTargetEvent, { kind: 'changed' }>;

const notConnected = failureOf(statusNumbers.not_connected);
const closedFailure = failureOf(statusNumbers.closed);

/** Gets a target connected, and again after it was lost. */
export interface Connector {
  /** Called once. `open` hands over the native id of each new target. */
  start(link: ConnectorLink): void;
  up(): void;
  lost(status: StatusName): void;
  /** Adds to UCX's text about a session that failed what the connector knows of the way. */
  explained(detail: string): string;
  /** Disconnects, for good. */
  stop(): void;
}

export interface ConnectorLink {
  open(target: number): void;
  /** An attempt that ended before there was a target to ask. */
  failed(status: StatusName, detail: string): void;
}

export class TargetFetcher implements NeedleFetcher, BookOwner {
  readonly address: string;
  readonly #book: RequestBook;
  readonly #connector: Connector;
  readonly #listeners: (() => void)[] = [];
  readonly #volumeListeners: ((change: VolumeChange) => void)[] = [];
  #state: TargetState = { kind: 'connecting' };
  #volumes: ReadonlyMap<number, TargetVolume> = new Map();
  #target = -1;
  #inFlight = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  readonly #onRead: (record: ReadRecord) => void;
  readonly #sessions = { established: 0, lost: 0, failed: 0 };
  readonly #fetches: Partial<Record<StatusName, number>> = {};
  #bytesFetched = 0;
  #pingUs: number | undefined;

  /** `onRead`: called once for each read that has ended. Must not throw. */
  constructor(
    book: RequestBook,
    address: string,
    connector: Connector,
    onRead: (record: ReadRecord) => void = () => undefined,
  ) {
    this.#book = book;
    this.address = address;
    this.#connector = connector;
    this.#onRead = onRead;
    connector.start({
      open: (target) => this.#open(target),
      failed: (status, detail) => this.#goDown(status, detail),
    });
  }

  get state(): TargetState {
    return this.#state;
  }

  get volumes(): ReadonlyMap<number, TargetVolume> {
    return this.#volumes;
  }

  get counts(): TargetCounts {
    return {
      ...this.#sessions,
      fetches: { ...this.#fetches },
      bytesFetched: this.#bytesFetched,
      pingUs: this.#pingUs,
    };
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    this.#volumeListeners.push(listener);
  }

  read(command: ReadCommand): Promise<FetchResult> {
    if (this.#state.kind !== 'up') {
      const refusal = this.#refusal();
      this.#countRead(refusal, performance.now());
      return Promise.resolve(refusal);
    }
    this.#inFlight += 1;
    return this.#book.read(this.#target, this, command);
  }

  validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs = 0,
  ): Promise<ValidateResult> {
    if (!(leaseMs >= 0 && leaseMs <= leaseMsMax)) {
      return Promise.reject(new RangeError(`a lease of ${leaseMs} ms`));
    }
    // Never less than the caller counts.
    const wholeMs = Math.ceil(leaseMs);
    if (items.length <= itemsMax) return this.#validateSome(items, timeoutMs, wholeMs);
    return this.#validateMany(items, timeoutMs, wholeMs);
  }

  async #validateMany(
    items: readonly ValidateItem[],
    timeoutMs: number,
    wholeMs: number,
  ): Promise<ValidateResult> {
    const parts: Promise<ValidateResult>[] = [];
    for (let at = 0; at < items.length; at += itemsMax) {
      parts.push(this.#validateSome(items.slice(at, at + itemsMax), timeoutMs, wholeMs));
    }
    const verdicts: ValidateVerdict[] = [];
    for (const result of await Promise.all(parts)) {
      if (result.kind === 'failed') return result;
      verdicts.push(...result.verdicts);
    }
    return { kind: 'verdicts', verdicts };
  }

  ping(timeoutMs: number): Promise<PingResult> {
    if (this.#state.kind !== 'up') return Promise.resolve(this.#refusal());
    this.#inFlight += 1;
    return this.#book.ping(this.#target, this, timeoutMs);
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      this.#connector.stop();
      this.#goDown('closed', 'closed here');
      this.#finishClose();
    }
    return this.#closed.promise;
  }

  onSettled(result: Result, postedAtMs: number | undefined): void {
    this.#inFlight -= 1;
    if (postedAtMs !== undefined) this.#countRead(result as FetchResult, postedAtMs);
    else if (result.kind === 'pong') this.#pingUs = result.roundTripUs;
    this.#finishClose();
  }

  #countRead(result: FetchResult, postedAtMs: number): void {
    const status = result.kind === 'needle' ? 'ok' : result.status;
    const bytesReceived = result.kind === 'needle' ? (result.data?.view.length ?? 0) : 0;
    this.#fetches[status] = (this.#fetches[status] ?? 0) + 1;
    this.#bytesFetched += bytesReceived;
    this.#onRead({ status, durationMs: performance.now() - postedAtMs, bytesReceived });
  }

  onTargetEvent(event: NativeTargetEvent): void {
    if (event.target !== this.#target || this.#closed !== undefined) return;
    switch (event.kind) {
      case 'up':
        this.#connector.up();
        this.#change({ kind: 'up', transport: event.transport, sessionId: event.sessionId });
        return;
      case 'down':
        this.#goDown(
          statusName(event.status),
          this.#connector.explained(withMeaning(event.detail)),
        );
        this.#connector.lost(statusName(event.status));
        return;
      case 'volumes':
        this.#volumes = new Map(event.volumes.map((volume) => [volume.volumeId, volume]));
        this.#change(this.#state);
        return;
      case 'changed':
        this.#tell(event);
        return;
    }
  }

  #tell({ volumeId, epoch, from, to, verdict, ids }: NativeVolumeChange): void {
    const changedIds =
      verdictNames[verdict] === 'changed' ? Array.from(new BigUint64Array(ids)) : 'flush';
    for (const listener of this.#volumeListeners) {
      listener({ volumeId, epoch, from, to, changedIds });
    }
  }

  #validateSome(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs: number,
  ): Promise<ValidateResult> {
    if (this.#state.kind !== 'up') return Promise.resolve(this.#refusal());
    this.#inFlight += 1;
    return this.#book.validate(this.#target, this, items, timeoutMs, leaseMs);
  }

  #refusal(): typeof notConnected {
    return this.#closed === undefined ? notConnected : closedFailure;
  }

  #open(target: number): void {
    if (this.#target >= 0 && this.#target !== target) this.#book.disown(this.#target);
    this.#target = target;
    this.#book.own(target, this);
    if (this.#state.kind !== 'connecting') this.#change({ kind: 'connecting' });
  }

  #goDown(status: StatusName, detail: string): void {
    this.#volumes = new Map();
    this.#change({ kind: 'down', status, detail });
  }

  #change(state: TargetState): void {
    if (state !== this.#state) this.#countSession(state);
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  /** Counts each attempt that fails, and no end that was asked for here. */
  #countSession(state: TargetState): void {
    if (state.kind === 'up') this.#sessions.established += 1;
    if (state.kind !== 'down' || state.status === 'closed') return;
    if (this.#state.kind === 'up') this.#sessions.lost += 1;
    else this.#sessions.failed += 1;
  }

  #finishClose(): void {
    if (this.#closed === undefined || this.#inFlight > 0) return;
    if (this.#target >= 0) this.#book.disown(this.#target);
    this.#closed.resolve();
  }
}

function statusName(status: number): StatusName {
  return status === statusNumbers.ok ? 'ok' : failureOf(status).status;
}
