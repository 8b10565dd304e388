/**
 * One VALIDATE for all hits that wait (DESIGN section 4): as in group commit, a round trip answers everybody who was
 * there when it left, for all volumes of the target, and whoever comes meanwhile waits for the next.
 */
import type { NeedleFetcher, ValidateItem, ValidateVerdict } from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { CachedVolume } from './cached-volume.ts';

/** `checked`: what changed was dropped; a needle that is still live is fresh. */
export type Validation =
  | { readonly kind: 'checked' | 'gone' | 'unconfirmed' }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

export interface GroupValidationOptions {
  readonly timeoutMs: number;
  /** VALIDATEs under way at a time. */
  readonly inFlightMax: number;
  /** Called once for each VALIDATE: `ok` when it was answered. */
  readonly onRoundTrip: (fetcher: NeedleFetcher, status: StatusName) => void;
}

const lost: Validation = { kind: 'failed', status: 'protocol_error' };

interface Waiting {
  readonly promise: Promise<Validation>;
  readonly resolve: (validation: Validation) => void;
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

  /** Resolves when a VALIDATE that is posted after this call has been applied to the volume. */
  validate(volume: CachedVolume): Promise<Validation> {
    let waiting = this.#waiting.get(volume);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<Validation>();
      this.#waiting.set(volume, waiting);
      this.#schedule();
    }
    return waiting.promise;
  }

  /** At the end of the event loop's turn: requests that came in one turn leave together. */
  #schedule(): void {
    if (this.#isDue || this.#inFlight >= this.#options.inFlightMax) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#post();
    });
  }

  #post(): void {
    const group = this.#waiting;
    if (group.size === 0 || this.#inFlight >= this.#options.inFlightMax) return;
    this.#waiting = new Map();
    this.#inFlight += 1;
    void this.#roundTrip(group).finally(() => {
      for (const { resolve } of group.values()) resolve(lost);
      this.#inFlight -= 1;
      this.#post();
    });
  }

  /** A message carries one length of lease. */
  async #roundTrip(group: ReadonlyMap<CachedVolume, Waiting>): Promise<void> {
    const byLease = Map.groupBy(group, ([{ policy }]) =>
      policy.consistency === 'lease' ? policy.leaseMs : 0,
    );
    await Promise.all(
      [...byLease].map(([leaseMs, members]) => this.#validateSome(members, leaseMs)),
    );
  }

  async #validateSome(
    members: readonly (readonly [CachedVolume, Waiting])[],
    leaseMs: number,
  ): Promise<void> {
    const postedAtMs = performance.now();
    const sessionId = this.#sessionId();
    const items = members.map(([volume]) => itemOf(volume));
    const result = await this.#fetcher.validate(items, this.#options.timeoutMs, leaseMs);
    if (result.kind === 'failed') {
      this.#options.onRoundTrip(this.#fetcher, result.status);
      for (const [, { resolve }] of members) resolve(result);
      // Whoever waits for the next has waited as long for the same silence.
      if (result.status === 'deadline') this.#giveUpWaiting(result);
      return;
    }
    this.#options.onRoundTrip(this.#fetcher, 'ok');
    // A lease is given to a session.
    const isSameSession = sessionId !== undefined && sessionId === this.#sessionId();
    for (const [index, [volume, waiting]] of members.entries()) {
      const verdict = result.verdicts[index];
      if (verdict === undefined || verdict.volumeId !== volume.volumeId) {
        waiting.resolve(lost);
        continue;
      }
      const leased = verdict.leased && isSameSession;
      const { epoch } = items[index] as ValidateItem;
      volume.applyVerdict({ ...verdict, leased }, epoch, postedAtMs);
      waiting.resolve(validationOf(verdict));
    }
  }

  #giveUpWaiting(failure: Validation): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const { resolve } of waiting.values()) resolve(failure);
  }

  #sessionId(): bigint | undefined {
    const { state } = this.#fetcher;
    return state.kind === 'up' ? state.sessionId : undefined;
  }
}

function itemOf({ volumeId, epoch, position }: CachedVolume): ValidateItem {
  return { volumeId, epoch, position };
}

function validationOf({ verdict }: ValidateVerdict): Validation {
  return { kind: verdict === 'gone' || verdict === 'unconfirmed' ? verdict : 'checked' };
}
