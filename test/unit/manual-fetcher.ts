/** A fetcher whose every answer a test gives by hand, in the order it likes; counts the leases that are out. */
import type { KeptBytes, Lease } from '../../src/rdma/lease.ts';
import type {
  FetchResult,
  Needle,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  TargetCounts,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  ValidateVerdict,
  VolumeChange,
} from '../../src/rdma/needle-fetcher.ts';

export interface PendingRead {
  readonly command: ReadCommand;
  /** All of `bytes`, read at this state. */
  needle(bytes: Uint8Array, change?: Partial<Needle>): void;
  answer(result: FetchResult): void;
}

export interface PendingValidate {
  readonly items: readonly ValidateItem[];
  readonly leaseMs: number;
  /** One verdict per item: "changed" without ids unless told otherwise. */
  verdicts(change?: Partial<ValidateVerdict>): void;
  answer(result: ValidateResult): void;
}

export const epoch = 11n;

/** Nothing was asked. */
export const noCounts: TargetCounts = {
  established: 0,
  lost: 0,
  failed: 0,
  fetches: {},
  bytesFetched: 0,
  pingUs: undefined,
};

export class ManualFetcher implements NeedleFetcher {
  readonly address = 'manual';
  readonly counts: TargetCounts = noCounts;
  state: TargetState = { kind: 'up', transport: 'manual', sessionId: 1n };
  volumes: Map<number, TargetVolume> = new Map([
    [3, { volumeId: 3, version: 3, confirmed: true, collection: '' }],
  ]);
  readonly reads: PendingRead[] = [];
  readonly validates: PendingValidate[] = [];
  leasesOut = 0;
  readonly #changeListeners: (() => void)[] = [];
  readonly #volumeListeners: ((change: VolumeChange) => void)[] = [];

  onChange(listener: () => void): void {
    this.#changeListeners.push(listener);
  }

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    this.#volumeListeners.push(listener);
  }

  changed(): void {
    for (const listener of this.#changeListeners) listener();
  }

  push(change: VolumeChange): void {
    for (const listener of this.#volumeListeners) listener(change);
  }

  read(command: ReadCommand): Promise<FetchResult> {
    return new Promise((answer) => {
      const needle = (bytes: Uint8Array, change: Partial<Needle> = {}): void =>
        answer(this.needleOf(command, bytes, change));
      this.reads.push({ command, answer, needle });
    });
  }

  validate(
    items: readonly ValidateItem[],
    _timeoutMs: number,
    leaseMs = 0,
  ): Promise<ValidateResult> {
    return new Promise((answer) => {
      const verdicts = (change: Partial<ValidateVerdict> = {}): void =>
        answer({ kind: 'verdicts', verdicts: items.map((item) => verdictOn(item, change)) });
      this.validates.push({ items, leaseMs, answer, verdicts });
    });
  }

  ping(): Promise<PingResult> {
    return Promise.resolve({ kind: 'failed', status: 'closed' });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  needleOf(command: ReadCommand, bytes: Uint8Array, change: Partial<Needle>): FetchResult {
    const needle: Needle = {
      volumeId: command.volumeId,
      needleId: command.needleId,
      cookie: command.cookie,
      epoch,
      position: 160n,
      volumeVersion: 3,
      flags: 0,
      indexBytes: bytes.length + 5,
      dataBytes: bytes.length,
      checksum: 0xfedc_ba98,
      isStream: false,
      lastModifiedSeconds: 0,
      appendAtNs: 0n,
      ttlLeftMs: undefined,
      name: '',
      mime: 'a/b',
      pairs: '',
      ...change,
    };
    if (command.metadataOnly) return { kind: 'needle', needle, data: undefined };
    const isWhole = bytes.length <= command.wholeBytesMax;
    const offset = isWhole ? 0 : command.offset;
    const end = isWhole ? bytes.length : Math.min(bytes.length, offset + command.length);
    const view = Buffer.from(bytes.subarray(offset, end));
    return {
      kind: 'needle',
      needle,
      data: view.length === 0 ? undefined : { offset, view, lease: this.#lease(view.length) },
    };
  }

  #lease(bytes: number): Lease {
    this.leasesOut += 1;
    const release = once(() => {
      this.leasesOut -= 1;
    });
    const keep = (view: Buffer): KeptBytes => {
      const lend = (): ReturnType<KeptBytes['lend']> => ({ view, lease: this.#lease(bytes) });
      const holds: Lease[] = [];
      const hold = (): void => void holds.push(this.#lease(bytes));
      const endHold = (): void => holds.pop()?.release();
      const copyTo = (target: Buffer, at: number): void => void view.copy(target, at);
      return { bytes, lend, hold, endHold, copyTo, release };
    };
    return { bytes, share: () => this.#lease(bytes), keep, release, [Symbol.dispose]: release };
  }
}

function verdictOn(
  { volumeId, epoch: asked, position }: ValidateItem,
  change: Partial<ValidateVerdict>,
): ValidateVerdict {
  const same = { volumeId, epoch: asked, position, verdict: 'changed', changedIds: [] } as const;
  return { ...same, leased: false, ...change };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}
