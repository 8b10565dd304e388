/** A fetcher for unit tests: answers from one scripted needle and counts the leases that are out. */
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
  ValidateResult,
  VolumeChange,
} from '../../src/rdma/needle-fetcher.ts';
import { noCounts } from './manual-fetcher.ts';

export const bigNeedleBytes: number = 3 * 1024 * 1024;

export const bigNeedle: Needle = {
  volumeId: 3,
  needleId: 7n,
  cookie: 9,
  epoch: 11n,
  position: 160n,
  volumeVersion: 3,
  flags: 0,
  indexBytes: bigNeedleBytes + 20,
  dataBytes: bigNeedleBytes,
  checksum: 1,
  isStream: true,
  lastModifiedSeconds: 0,
  appendAtNs: 0n,
  ttlLeftMs: undefined,
  name: '',
  mime: '',
  pairs: '',
};

/** Byte i of the needle is i % 251. */
export class ScriptedFetcher implements NeedleFetcher {
  readonly address = 'scripted';
  readonly counts: TargetCounts = noCounts;
  state: TargetState = { kind: 'up', transport: 'scripted', sessionId: 1n };
  volumes: Map<number, TargetVolume> = new Map([
    [3, { volumeId: 3, version: 3, confirmed: true, collection: '' }],
  ]);
  readonly commands: ReadCommand[] = [];
  leasesOut = 0;
  needle: Needle = bigNeedle;
  /** Answered instead of the needle, when set. */
  failure: Extract<FetchResult, { kind: 'failed' }> | undefined;
  /** It answers no ping. */
  isStopped = false;
  verdict: ValidateResult = { kind: 'failed', status: 'not_connected' };

  readonly volumeListeners: ((change: VolumeChange) => void)[] = [];

  onChange(): void {}

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    this.volumeListeners.push(listener);
  }

  read(command: ReadCommand): Promise<FetchResult> {
    this.commands.push(command);
    if (this.failure !== undefined) return Promise.resolve(this.failure);
    const { needle } = this;
    if (command.metadataOnly) return Promise.resolve({ kind: 'needle', needle, data: undefined });
    const isWhole = needle.dataBytes <= command.wholeBytesMax;
    const offset = isWhole ? 0 : Math.min(command.offset, needle.dataBytes);
    const end = isWhole ? needle.dataBytes : Math.min(offset + command.length, needle.dataBytes);
    const view = Buffer.alloc(end - offset);
    for (let i = 0; i < view.length; i += 1) view[i] = (offset + i) % 251;
    const data = { offset, view, lease: this.#lease(view.length) };
    return Promise.resolve({ kind: 'needle', needle, data });
  }

  validate(): Promise<ValidateResult> {
    return Promise.resolve(this.verdict);
  }

  ping(): Promise<PingResult> {
    const load = { requestsInFlight: 0, sessions: 1, arenaBytes: 0, arenaBytesUsed: 0 };
    return Promise.resolve(
      this.isStopped
        ? { kind: 'failed', status: 'deadline' }
        : { kind: 'pong', roundTripUs: 10, ...load },
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #lease(bytes: number): Lease {
    this.leasesOut += 1;
    const release = (): void => {
      this.leasesOut -= 1;
    };
    const keep = (view: Buffer): KeptBytes => {
      const lend = (): ReturnType<KeptBytes['lend']> => ({ view, lease: this.#lease(bytes) });
      const holds: Lease[] = [];
      const hold = (): void => void holds.push(this.#lease(bytes));
      const endHold = (): void => holds.pop()?.release();
      const copyTo = (target: Buffer, at: number): void => void view.copy(target, at);
      return { bytes, lend, hold, endHold, copyTo, release: once(release) };
    };
    return { bytes, share: () => this.#lease(bytes), keep, release, [Symbol.dispose]: release };
  }
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}
