/**
 * One target behind several rails, as one fetcher. A READ takes the admitted rail with the fewest bytes outstanding, the
 * near ones first; validations and leases go over one rail, the lead. A request whose rail is ejected is sent again on
 * another, within its one deadline: the first answer counts. What the target answers, errors included, is an answer; what
 * goes wrong on a rail is told only when no rail is left.
 *
 * A lease belongs to a session. When the lead changes, `state` has another session, and holders of leases drop them.
 * Pushed changes are passed on whichever rail they come by: they are facts about the volume.
 */
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
  VolumeChange,
} from '../needle-fetcher.ts';
import { failureOf, type StatusName, statusNumbers } from '../status.ts';
import { Rail, type RailPlace, type RailRules, railRules } from './rail.ts';
import { RailRequest, releaseData, type Trip } from './rail-request.ts';
import type { RailStatus } from './rail-status.ts';

/** A rail on another NUMA node is taken once the near ones have this many bytes more outstanding. */
const farBytes = 256 * 1024;
/** An answer's head, metadata included: what a rail is charged with for any request. */
const headBytes = 256;
/** The share of requests that may be sent twice because their rail is slow, and how many of them at once. */
const doubledShare = 1 / 20;
const doubledMax = 16;
/** The share of the last needle in the mean size of needles. */
const meanShare = 1 / 16;

export interface RailsOptions {
  /** The address as configured. */
  readonly address: string;
  /** At least one. */
  readonly places: readonly RailPlace[];
  readonly rules?: Partial<RailRules>;
  /** Called once for each read that has ended, however often it was sent. Must not throw. */
  readonly onRead?: ((record: ReadRecord) => void) | undefined;
}

export class RailsFetcher implements NeedleFetcher {
  readonly address: string;
  readonly #rails: readonly Rail[];
  readonly #silenceMs: number;
  readonly #onRead: (record: ReadRecord) => void;
  readonly #listeners: (() => void)[] = [];
  readonly #railListeners: ((rail: RailStatus) => void)[] = [];
  readonly #fetches: Partial<Record<StatusName, number>> = {};
  #lead: Rail | undefined;
  #state: TargetState = { kind: 'connecting' };
  #meanBytes = 4096;
  #doublesLeft = doubledMax;
  #pingUs: number | undefined;
  #isClosed = false;

  constructor({ address, places, rules, onRead = () => undefined }: RailsOptions) {
    this.address = address;
    this.#onRead = onRead;
    const host = {
      mayEject: (rail: Rail) => this.#mayEject(rail),
      askTrials: (rail: Rail, timeoutMs: number) => this.#askTrials(rail, timeoutMs),
      mayDouble: () => this.#doublesLeft >= 1,
      doubled: () => {
        this.#doublesLeft -= 1;
      },
      changed: (rail: Rail) => this.#changed(rail),
    };
    const whole = { ...railRules, ...rules };
    this.#silenceMs = whole.silenceMs;
    this.#rails = places.map((place) => new Rail(place, whole, host));
    this.#chooseLead();
  }

  get state(): TargetState {
    return this.#state;
  }

  get volumes(): ReadonlyMap<number, TargetVolume> {
    return this.#lead?.place.fetcher.volumes ?? noVolumes;
  }

  get counts(): TargetCounts {
    const each = this.#rails.map(({ place }) => place.fetcher.counts);
    const sum = (key: 'established' | 'lost' | 'failed' | 'bytesFetched'): number =>
      each.reduce((total, counts) => total + counts[key], 0);
    return {
      established: sum('established'),
      lost: sum('lost'),
      failed: sum('failed'),
      fetches: { ...this.#fetches },
      bytesFetched: sum('bytesFetched'),
      pingUs: this.#pingUs,
    };
  }

  get rails(): readonly RailStatus[] {
    return this.#rails.map((rail) => rail.status(rail === this.#lead));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    for (const { place } of this.#rails) place.fetcher.onVolumeChanged(listener);
  }

  /** Called when a rail's state has changed. */
  onRail(listener: (rail: RailStatus) => void): void {
    this.#railListeners.push(listener);
  }

  async read(command: ReadCommand): Promise<FetchResult> {
    const postedAtMs = performance.now();
    const result = await this.#send<FetchResult>(command.timeoutMs, {
      expectedBytes: this.#expected(command),
      choose: (without) => this.#next(without),
      post: ({ place }, timeoutMs) => place.fetcher.read({ ...command, timeoutMs }),
      waste: releaseData,
      isRead: true,
    });
    this.#countRead(result, postedAtMs);
    return result;
  }

  validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs?: number,
  ): Promise<ValidateResult> {
    return this.#send<ValidateResult>(timeoutMs, {
      expectedBytes: headBytes,
      choose: (without) => this.#leadBut(without),
      post: (rail, leftMs) => this.#validateOn(rail, items, { leftMs, leaseMs }),
    });
  }

  /** Asks every rail, so that each session is kept; the answer is the first that comes, since any rail reaches the target. */
  async ping(timeoutMs: number): Promise<PingResult> {
    const rails = this.#rails.filter(({ place }) => place.fetcher.state.kind === 'up');
    if (rails.length === 0) return this.#isClosed ? closed : notConnected;
    const { promise, resolve } = Promise.withResolvers<PingResult>();
    let left = rails.length;
    for (const rail of rails) {
      void this.#keepAlive(rail, timeoutMs).then((result) => {
        left -= 1;
        if (result.kind === 'pong' || left === 0) resolve(result);
      });
    }
    const result = await promise;
    if (result.kind === 'pong') this.#pingUs = result.roundTripUs;
    return result;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const rail of this.#rails) rail.close();
    await Promise.all(this.#rails.map(({ place }) => place.fetcher.close()));
  }

  /** Another rail's session than the lead's may have granted a lease: no listener would be told of its end. */
  async #validateOn(
    rail: Rail,
    items: readonly ValidateItem[],
    { leftMs, leaseMs }: { readonly leftMs: number; readonly leaseMs: number | undefined },
  ): Promise<ValidateResult> {
    const { fetcher } = rail.place;
    const { state } = fetcher;
    const result = await fetcher.validate(items, leftMs, leaseMs);
    const isOfLead = rail === this.#lead && state === this.#state;
    if (result.kind === 'failed' || isOfLead) return result;
    return { ...result, verdicts: result.verdicts.map((each) => ({ ...each, leased: false })) };
  }

  #send<R extends FetchResult | ValidateResult>(timeoutMs: number, trip: Trip<R>): Promise<R> {
    this.#doublesLeft = Math.min(doubledMax, this.#doublesLeft + doubledShare);
    const request = new RailRequest(timeoutMs, trip);
    if (!request.go()) request.settleAs(this.#isClosed ? closed : notConnected);
    return request.result;
  }

  async #keepAlive(rail: Rail, timeoutMs: number): Promise<PingResult> {
    const result = await rail.ping(timeoutMs);
    const isSilent = result.kind === 'failed' && !rail.wasHeard;
    if (isSilent && timeoutMs >= this.#silenceMs && this.#mayEject(rail)) rail.eject('deadline');
    return result;
  }

  /**
   * Another rail has brought needles since it was readmitted, or, on trial, answered after this one was heard last: what
   * carries validations alone brings no needle.
   */
  #mayEject(rail: Rail): boolean {
    return this.#rails.some(
      (other) =>
        other !== rail &&
        (other.state === 'admitted' ||
          (other.state === 'trial' && other.heardAtMs > rail.heardAtMs)),
    );
  }

  #askTrials(rail: Rail, timeoutMs: number): void {
    for (const other of this.#rails) {
      if (other !== rail && other.state === 'trial') void other.ping(timeoutMs);
    }
  }

  #next(without: (rail: Rail) => boolean): Rail | undefined {
    if (this.#isClosed) return undefined;
    let best: Rail | undefined;
    for (const rail of this.#rails) {
      if (!rail.isAdmitted || without(rail)) continue;
      if (best === undefined || isBetter(rail, best)) best = rail;
    }
    return best;
  }

  #leadBut(without: (rail: Rail) => boolean): Rail | undefined {
    if (this.#lead !== undefined && !without(this.#lead)) return this.#lead;
    return this.#next(without);
  }

  #expected({ metadataOnly, length }: ReadCommand): number {
    return metadataOnly ? headBytes : headBytes + Math.max(length, this.#meanBytes);
  }

  #countRead(result: FetchResult, postedAtMs: number): void {
    const status = result.kind === 'needle' ? 'ok' : result.status;
    const bytesReceived = result.kind === 'needle' ? (result.data?.view.length ?? 0) : 0;
    if (bytesReceived > 0) this.#meanBytes += (bytesReceived - this.#meanBytes) * meanShare;
    this.#fetches[status] = (this.#fetches[status] ?? 0) + 1;
    this.#onRead({ status, durationMs: performance.now() - postedAtMs, bytesReceived });
  }

  #changed(rail: Rail): void {
    const before = this.#lead;
    this.#chooseLead();
    const status = rail.status(rail === this.#lead);
    for (const listener of this.#railListeners) listener(status);
    if (this.#lead === undefined) for (const each of this.#rails) each.probeNow();
    // Another rail's volumes and attempts are not the target's.
    if (before === rail || before !== this.#lead || this.#lead === undefined) {
      for (const listener of this.#listeners) listener();
    }
  }

  /** Keeps the lead while it may be kept, since its leases are lost with it; a fallback leads no longer than it must. */
  #chooseLead(): void {
    const candidates = this.#rails.filter((rail) => rail.isAdmitted);
    const hasRail = candidates.some(({ place }) => !place.isFallback);
    const keeps =
      this.#lead?.isAdmitted === true && !(this.#lead.place.isFallback && hasRail)
        ? this.#lead
        : undefined;
    this.#lead = keeps ?? candidates.toSorted(byFitness)[0];
    this.#state = this.#lead?.place.fetcher.state ?? this.#stateWithoutLead();
  }

  #stateWithoutLead(): TargetState {
    const states = this.#rails.map(({ place }) => place.fetcher.state);
    const first = states.find((state) => state.kind === 'down');
    if (first === undefined || states.some(({ kind }) => kind === 'connecting')) {
      return { kind: 'connecting' };
    }
    const details = this.#rails.map((rail) => `${rail.place.name}: ${rail.status(false).reason}`);
    return { kind: 'down', status: first.status, detail: details.join('; ') };
  }
}

const noVolumes: ReadonlyMap<number, TargetVolume> = new Map();
const notConnected = failureOf(statusNumbers.not_connected);
const closed = failureOf(statusNumbers.closed);

function isBetter(rail: Rail, than: Rail): boolean {
  if (rail.isBusy !== than.isBusy) return than.isBusy;
  if (rail.place.isFallback !== than.place.isFallback) return than.place.isFallback;
  const [own, other] = [loadOf(rail), loadOf(than)];
  return own === other ? rail.bytesFetched < than.bytesFetched : own < other;
}

function loadOf({ outstandingBytes, place }: Rail): number {
  return outstandingBytes + (place.isNear ? 0 : farBytes);
}

/** A session tells its volumes a moment after it is up. */
function byFitness(a: Rail, b: Rail): number {
  const worth = ({ place, state }: Rail): number =>
    (place.isFallback ? 0 : 8) +
    (place.fetcher.volumes.size > 0 ? 4 : 0) +
    (state === 'admitted' ? 2 : 0) +
    (place.isNear ? 1 : 0);
  return worth(b) - worth(a);
}
