/** A fetcher whose reads, sessions and pings are counted: the same port, with one record per read. */
import type {
  FetchResult,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  VolumeChange,
} from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { TargetCounts } from '../status.ts';
import type { OperationRecord } from './proxy-metrics.ts';

/** The target looked and told what it found: the fabric did its work. */
const answeredStatuses: ReadonlySet<StatusName> = new Set([
  'not_found',
  'deleted',
  'cookie_mismatch',
  'expired',
  'empty',
  'too_large',
  'unsupported_volume',
  'unknown_volume',
  'volume_unconfirmed',
]);

export class ObservedFetcher implements NeedleFetcher {
  readonly #inner: NeedleFetcher;
  readonly #finished: (record: OperationRecord) => void;
  readonly #fetches: Partial<Record<StatusName, number>> = {};
  #bytesFetched = 0;
  #established = 0;
  #lost = 0;
  #failed = 0;
  #pingUs: number | undefined;

  constructor(inner: NeedleFetcher, finished: (record: OperationRecord) => void) {
    this.#inner = inner;
    this.#finished = finished;
    this.#countSessions();
  }

  get counts(): TargetCounts {
    return {
      established: this.#established,
      lost: this.#lost,
      failed: this.#failed,
      fetches: { ...this.#fetches },
      bytesFetched: this.#bytesFetched,
      pingUs: this.#pingUs,
    };
  }

  /** A list of volumes is a change too; only a new state counts, and each attempt that fails is one. */
  #countSessions(): void {
    let was: TargetState | undefined;
    const look = (): void => {
      const { state } = this.#inner;
      if (state === was) return;
      const isClosedHere = state.kind === 'down' && state.status === 'closed';
      if (state.kind === 'up') this.#established += 1;
      else if (isClosedHere) return;
      else if (was?.kind === 'up') this.#lost += 1;
      else if (state.kind === 'down') this.#failed += 1;
      was = state;
    };
    this.#inner.onChange(look);
    look();
  }

  get address(): string {
    return this.#inner.address;
  }

  get state(): TargetState {
    return this.#inner.state;
  }

  get volumes(): ReadonlyMap<number, TargetVolume> {
    return this.#inner.volumes;
  }

  onChange(listener: () => void): void {
    this.#inner.onChange(listener);
  }

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    this.#inner.onVolumeChanged(listener);
  }

  async read(command: ReadCommand): Promise<FetchResult> {
    const postedAt = performance.now();
    const result = await this.#inner.read(command);
    const status = result.kind === 'needle' ? 'ok' : result.status;
    const bytesReceived = result.kind === 'needle' ? (result.data?.view.length ?? 0) : 0;
    this.#fetches[status] = (this.#fetches[status] ?? 0) + 1;
    this.#bytesFetched += bytesReceived;
    this.#finished({
      isSuccess: status === 'ok' || answeredStatuses.has(status),
      durationMs: performance.now() - postedAt,
      bytesReceived,
    });
    return result;
  }

  validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs?: number,
  ): Promise<ValidateResult> {
    return this.#inner.validate(items, timeoutMs, leaseMs);
  }

  async ping(timeoutMs: number): Promise<PingResult> {
    const result = await this.#inner.ping(timeoutMs);
    if (result.kind === 'pong') this.#pingUs = result.roundTripUs;
    return result;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
