/**
 * The cached volumes of one target, and one VALIDATE for all hits that wait (docs/architecture.md, "The cache"): as in group commit, a round trip answers
 * every hit that was there when it left, for all volumes of the target, and hits that come meanwhile wait for the next.
 */
import type {
  NeedleFetcher,
  TargetState,
  ValidateItem,
  ValidateVerdict,
} from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { CachedVolume } from './cached-volume.ts';

export const validationKinds = ['checked', 'gone', 'unconfirmed', 'failed'] as const;

/** `checked`: what changed was dropped; a needle that is still live is fresh. */
export type Validation =
  | { readonly kind: Exclude<(typeof validationKinds)[number], 'failed'> }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

export interface GroupValidationOptions {
  readonly timeoutMs: number;
  /** VALIDATEs under way at a time. */
  readonly inFlightMax: number;
  /** Called once for each VALIDATE: `ok` when it was answered. */
  readonly onRoundTrip: (fetcher: NeedleFetcher, status: StatusName) => void;
}

const lost: Validation = { kind: 'failed', status: 'protocol_error' };

/** A hit, or many, until a VALIDATE says whether they are fresh. */
export interface Waiter {
  /** It stands for many. */
  readonly isMany?: boolean;
  /** Called once. Must not throw. `nowMs`: monotonic, of all that waited together. */
  validated(validation: Validation, nowMs: number): void;
}

/** Those that wait for one volume. */
class Waiting {
  readonly volume: CachedVolume;
  #waiters: Waiter[] = [];

  constructor(volume: CachedVolume) {
    this.volume = volume;
  }

  get leaseMs(): number {
    const { consistency, leaseMs } = this.volume.policy;
    return consistency === 'lease' ? leaseMs : 0;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  settle(validation: Validation): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    const nowMs = performance.now();
    for (const waiter of waiters) waiter.validated(validation, nowMs);
  }
}

export class GroupValidation {
  readonly #fetcher: NeedleFetcher;
  readonly #options: GroupValidationOptions;
  #waiting = new Map<CachedVolume, Waiting>();
  #inFlight = 0;
  #isDue = false;

  constructor(fetcher: NeedleFetcher, options: GroupValidationOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
  }

  /** Tells the waiter when a VALIDATE that is posted after this call has been applied to the volume. */
  validate(volume: CachedVolume, waiter: Waiter | undefined): void {
    let waiting = this.#waiting.get(volume);
    if (waiting === undefined) {
      waiting = new Waiting(volume);
      this.#waiting.set(volume, waiting);
      if (waiter?.isMany !== true) this.#schedule();
    }
    if (waiter !== undefined) waiting.add(waiter);
    // They have waited for each other already.
    if (waiter?.isMany === true) this.#post();
  }

  /**
   * At the end of the event loop's next turn: requests that came in two turns leave together. Alone, one waits some
   * microseconds for that; under load the clients just answered have asked again by then, and the group is twice as
   * large.
   */
  #schedule(): void {
    if (this.#isDue || this.#inFlight >= this.#options.inFlightMax) return;
    this.#isDue = true;
    setImmediate(() => setImmediate(this.#due));
  }

  readonly #due = (): void => {
    this.#isDue = false;
    this.#post();
  };

  #post(): void {
    if (this.#waiting.size === 0 || this.#inFlight >= this.#options.inFlightMax) return;
    const group = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#inFlight += 1;
    void this.#roundTrip(group).finally(() => {
      for (const waiting of group) waiting.settle(lost);
      this.#inFlight -= 1;
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  /** A message carries one length of lease. */
  #roundTrip(group: readonly Waiting[]): Promise<unknown> {
    const [{ leaseMs }] = group as [Waiting];
    if (group.every((waiting) => waiting.leaseMs === leaseMs)) {
      return this.#validateSome(group, leaseMs);
    }
    const byLease = Map.groupBy(group, (waiting) => waiting.leaseMs);
    return Promise.all([...byLease].map(([ms, members]) => this.#validateSome(members, ms)));
  }

  async #validateSome(members: readonly Waiting[], leaseMs: number): Promise<void> {
    const postedAtMs = performance.now();
    const session = sessionOf(this.#fetcher);
    const items = members.map(({ volume }) => itemOf(volume));
    const result = await this.#fetcher.validate(items, this.#options.timeoutMs, leaseMs);
    if (result.kind === 'failed') {
      this.#options.onRoundTrip(this.#fetcher, result.status);
      for (const waiting of members) waiting.settle(result);
      // Waiters for the next one have waited as long for the same silent target.
      if (result.status === 'deadline') this.#giveUpWaiting(result);
      return;
    }
    this.#options.onRoundTrip(this.#fetcher, 'ok');
    // A lease is given to a session.
    const isSameSession = session !== undefined && session === sessionOf(this.#fetcher);
    for (const [index, waiting] of members.entries()) {
      const { volume } = waiting;
      const verdict = result.verdicts[index];
      if (verdict === undefined || verdict.volumeId !== volume.volumeId) {
        waiting.settle(lost);
        continue;
      }
      const leased = verdict.leased && isSameSession;
      const { epoch } = items[index] as ValidateItem;
      volume.applyVerdict({ ...verdict, leased }, epoch, postedAtMs);
      waiting.settle(validationOf(verdict));
    }
  }

  #giveUpWaiting(failure: Validation): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const each of waiting.values()) each.settle(failure);
  }
}

/** The session that leases are given to: one object as long as it lasts. Its number may be another session's, too. */
function sessionOf({ state }: NeedleFetcher): TargetState | undefined {
  return state.kind === 'up' ? state : undefined;
}

function itemOf({ volumeId, epoch, position }: CachedVolume): ValidateItem {
  return { volumeId, epoch, position };
}

function validationOf({ verdict }: ValidateVerdict): Validation {
  return { kind: verdict === 'gone' || verdict === 'unconfirmed' ? verdict : 'checked' };
}

export interface CachedTargetOptions {
  readonly validation: GroupValidationOptions;
  readonly newVolume: (volumeId: number, collection: string) => CachedVolume;
}

/** The cached volumes of one target; follows what it announces and pushes. */
export class CachedTarget {
  readonly #fetcher: NeedleFetcher;
  readonly #options: CachedTargetOptions;
  readonly #volumes = new Map<number, CachedVolume>();
  #session: TargetState | undefined;
  readonly validation: GroupValidation;

  constructor(fetcher: NeedleFetcher, options: CachedTargetOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
    this.validation = new GroupValidation(fetcher, options.validation);
    this.#session = sessionOf(fetcher);
    fetcher.onChange(() => this.#follow());
    fetcher.onVolumeChanged((change) => this.#volumes.get(change.volumeId)?.applyChange(change));
  }

  /** undefined: the target does not announce it. */
  volume(volumeId: number): CachedVolume | undefined {
    const known = this.#volumes.get(volumeId);
    if (known !== undefined) return known;
    const announced = this.#fetcher.volumes.get(volumeId);
    if (announced === undefined) return undefined;
    const volume = this.#options.newVolume(volumeId, announced.collection);
    this.#volumes.set(volumeId, volume);
    return volume;
  }

  known(volumeId: number): CachedVolume | undefined {
    return this.#volumes.get(volumeId);
  }

  get volumes(): Iterable<CachedVolume> {
    return this.#volumes.values();
  }

  /**
   * A session that ended, or gave way to one over another rail, pushes nothing that counts any more; a volume that is not
   * announced is not this target's.
   */
  #follow(): void {
    const { volumes } = this.#fetcher;
    const session = sessionOf(this.#fetcher);
    const isSame = session === this.#session;
    this.#session = session;
    for (const [volumeId, volume] of this.#volumes) {
      if (!isSame) volume.endLease();
      if (session === undefined) continue;
      // The list comes after the session.
      if (volumes.size === 0) continue;
      if (volumes.get(volumeId)?.collection === volume.collection) continue;
      volume.retire();
      this.#volumes.delete(volumeId);
    }
  }
}
