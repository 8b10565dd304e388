/** A fetcher whose reads are counted: the same port, with one record per read. */
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

  constructor(inner: NeedleFetcher, finished: (record: OperationRecord) => void) {
    this.#inner = inner;
    this.#finished = finished;
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
    this.#finished({
      isSuccess: result.kind === 'needle' || answeredStatuses.has(result.status),
      durationMs: performance.now() - postedAt,
      bytesReceived: result.kind === 'needle' ? (result.data?.view.length ?? 0) : 0,
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

  ping(timeoutMs: number): Promise<PingResult> {
    return this.#inner.ping(timeoutMs);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
