/**
 * The native threads that answer what is published (native/lane), as the event loop sees them. A connection is given to one
 * between requests, and comes back with every byte that it did not answer. Nothing is decided here: what is published, and
 * whether a volume may be served, is the cache's and the corridor's.
 */
import type { Freshness, RecallableHead } from '../../needle/needle-outcome.ts';
import { loadBinding } from '../../rdma/binding.ts';
import {
  type LaneReason,
  laneReasons,
  laneRowNumbers,
  laneRows,
  type NativeLanes,
  type NativeTally,
} from '../../rdma/native-lane-types.ts';
import { InternedTexts } from './interned-texts.ts';
import type { LaneStatus, LanesStatus } from './lane-status.ts';
import { LaneVolume } from './lane-volume.ts';

/** A connection, while a lane has it. */
export interface LaneClient {
  /** The connection is the event loop's again. `answered`: requests since it was given. */
  cameBack(reason: LaneReason, bytes: Buffer, answered: number): void;
}

/** Where a connection is. */
export interface LanePlace {
  readonly lane: number;
  readonly id: number;
}

/** Keeps a published body where it is. */
export interface BodyHolder {
  /** No lane reads it any more. */
  endHold(): void;
}

export interface NewAnswer {
  readonly request: RecallableHead;
  readonly answer: Buffer;
  readonly idAt: number;
  /** -1: none. */
  readonly idAgainAt: number;
  readonly dateAt: number;
  /** undefined: the answer has none. */
  readonly body: Buffer | undefined;
  /** The kernel may have it by reference. */
  readonly isByReference: boolean;
  readonly holder: BodyHolder;
  /** undefined: never. */
  readonly expiresInMs: number | undefined;
}

export interface LanesOptions {
  readonly count: number;
  /** Fewer askers than these are answered sooner by the event loop, whose question it is in any case. */
  readonly askersMin: number;
  /** Read now and then: they may change. */
  readonly limits: { readonly idleTimeoutMs: number; readonly bytesInFlight: number };
  /** Upper bounds of the histograms' buckets, in seconds. */
  readonly durationBounds: readonly number[];
  readonly waitBounds: readonly number[];
  readonly copiedBytesMax: number;
  /** Whether requests must be seen one by one now: then every one goes to the event loop. */
  readonly mustSeeAll: () => boolean;
  /** Is what is live of the volume what it holds? Calls `settle` once. */
  readonly ask: (volume: LaneVolume, settle: (isFresh: boolean) => void) => void;
  /** Takes what was counted, of all lanes. Called while there is traffic, and by `collect`. */
  readonly onTally: (tally: NativeTally, lanes: Lanes) => void;
}

interface Published {
  readonly holder: BodyHolder;
  readonly agent: number;
}

interface Seat {
  readonly client: LaneClient;
  readonly peer: number;
}

const tickMs = 250;
/** Requests looked at in a second, in each lane. */
const looksPerSecondMax = 1_000;
/** Counts of one lane since it began. */
type LaneCounts = Omit<LaneStatus, 'connections'>;
const noneYet: LaneCounts = {
  requests: 0,
  bytes: 0,
  validated: 0,
  questions: 0,
  returned: 0,
  samplesDropped: 0,
};

export class Lanes {
  /** Connections whose answers are published to be asked for. */
  readonly askers: Set<LaneClient> = new Set();
  readonly addresses: InternedTexts = new InternedTexts();
  readonly agents: InternedTexts = new InternedTexts();
  readonly #options: LanesOptions;
  readonly #native: NativeLanes;
  /** By the connection's number: a new one each time, as a lane may yet be asked for a connection that has come back. */
  readonly #seats = new Map<number, Seat>();
  #lastId = 0;
  /** Connections, by lane. */
  readonly #given: number[];
  readonly #published = new Map<number, Published>();
  readonly #volumes = new Map<number, LaneVolume>();
  #lastVolume = 0;
  /** Counts of theirs may be on their way. */
  readonly #forgotten: number[] = [];
  readonly #counted: LaneCounts[];
  #sampleEvery = 1;
  #collectedAtMs = 0;
  #isOpen = true;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /** Throws RdmaUnavailableError where there is no native part. */
  constructor(options: LanesOptions) {
    this.#options = options;
    const { count: lanes, durationBounds, waitBounds, copiedBytesMax, limits } = options;
    const { Lanes: NativeClass } = loadBinding();
    this.#native = new NativeClass(
      {
        lanes,
        durationBounds,
        waitBounds,
        copiedBytesMax,
        samplesMax: Math.ceil((looksPerSecondMax * tickMs) / 1_000) * 2,
        idleTimeoutMs: limits.idleTimeoutMs,
        bytesInFlightMax: limits.bytesInFlight,
      },
      (rows, bytes) => this.#onEvents(rows, bytes),
    );
    this.#given = Array.from({ length: lanes }, () => 0);
    this.#counted = Array.from({ length: lanes }, () => noneYet);
    this.#setLimits(0);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether a connection is taken whose answers are published so. */
  mayTake(freshness: Freshness | undefined): boolean {
    if (freshness === undefined || !this.#isOpen) return false;
    return freshness === 'granted' || this.#areAskersMany;
  }

  get #areAskersMany(): boolean {
    return this.askers.size >= this.#options.askersMin;
  }

  get bytesInFlight(): number {
    return this.#native.bytesInFlight();
  }

  status(): LanesStatus {
    return {
      lanes: this.#counted.map((counted, at) => ({
        ...counted,
        connections: this.#given[at] as number,
      })),
      published: this.#published.size,
      bytesInFlight: this.bytesInFlight,
    };
  }

  // Connections

  /** `fd`: of a socket that nothing is read from, and that owes nothing. Undefined: not now. */
  give(client: LaneClient, fd: number, address: string): LanePlace | undefined {
    if (!this.#isOpen || this.#isClosed) return undefined;
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    const peer = this.addresses.use(address);
    this.#seats.set(id, { client, peer });
    const lane = this.#emptiest();
    this.#given[lane] = (this.#given[lane] as number) + 1;
    this.#native.give(lane, id, fd, peer);
    this.#stir();
    return { lane, id };
  }

  /** `cameBack` follows; with `isNow` at once, in the middle of an answer as well. */
  askBack({ lane, id }: LanePlace, isNow: boolean): void {
    this.#native.askBack(lane, id, isNow);
  }

  /** How long it has had nothing in hand; 0: it has. */
  restingMs({ lane, id }: LanePlace): number {
    return this.#native.restingMs(lane, id);
  }

  /** The lane with fewest connections: few clients are spread evenly, too. */
  #emptiest(): number {
    let least = 0;
    for (let lane = 1; lane < this.#given.length; lane += 1) {
      if ((this.#given[lane] as number) < (this.#given[least] as number)) least = lane;
    }
    return least;
  }

  // The shelf

  newVolume(volumeId: number, owner: object, freshness: Freshness): LaneVolume {
    this.#lastVolume += 1;
    const id = this.#lastVolume;
    const onForget = (): void => void this.#forgotten.push(id);
    const volume = new LaneVolume(this.#native, { id, volumeId, owner, freshness, onForget });
    this.#volumes.set(id, volume);
    return volume;
  }

  /** Returns the answer's number; 0: such an answer is published already. The body is held until `endHold` of its holder. */
  publish(volume: LaneVolume, answer: NewAnswer): number {
    const { request } = answer;
    const agent = this.agents.use(request.userAgent);
    const id = this.#native.publish(
      request.bytes,
      request.holeAt,
      request.holeEnd,
      answer.answer,
      answer.idAt,
      answer.idAgainAt,
      answer.dateAt,
      answer.body,
      volume.id,
      agent,
      answer.expiresInMs ?? 0,
      answer.isByReference,
    );
    if (id === 0) this.agents.release(agent);
    else this.#published.set(id, { holder: answer.holder, agent });
    return id;
  }

  withdraw(id: number): void {
    if (this.#native.withdraw(id)) this.#freed(id);
  }

  #freed(id: number): void {
    const published = this.#published.get(id);
    if (published === undefined) return;
    this.#published.delete(id);
    this.agents.release(published.agent);
    published.holder.endHold();
  }

  /** undefined: it is not published any more. */
  holderOf(id: number): BodyHolder | undefined {
    return this.#published.get(id)?.holder;
  }

  /** The number of the volume as clients name it. */
  volumeIdOf(volume: number): number {
    return this.#volumes.get(volume)?.volumeId ?? -1;
  }

  // Events

  #onEvents(rows: Float64Array, bytes: Buffer): void {
    this.#stir();
    let bytesAt = 0;
    for (let at = 0; at < rows.length; at += laneRowNumbers) {
      const [kind, first, second, third, fourth, fifth] = rows.subarray(
        at,
        at + laneRowNumbers,
      ) as unknown as readonly [number, number, number, number, number, number];
      if (kind === laneRows.returned) {
        const own = bytes.subarray(bytesAt, bytesAt + fifth);
        bytesAt += fifth;
        this.#cameBack(first, second, laneReasons[third] as LaneReason, own, fourth);
      } else if (kind === laneRows.question) {
        this.#asked(first, second, third);
      } else {
        this.#freed(first);
      }
    }
  }

  #cameBack(lane: number, id: number, reason: LaneReason, bytes: Buffer, answered: number): void {
    const { client, peer } = this.#seats.get(id) as Seat;
    this.#seats.delete(id);
    this.#given[lane] = (this.#given[lane] as number) - 1;
    this.addresses.release(peer);
    client.cameBack(reason, bytes, answered);
  }

  #asked(lane: number, volume: number, ticket: number): void {
    let isSettled = false;
    const asked = this.#volumes.get(volume);
    if (asked === undefined || !this.mayTake(asked.freshness)) {
      this.#native.settle(lane, ticket, false);
      return;
    }
    this.#options.ask(asked, (isFresh) => {
      if (isSettled) return;
      isSettled = true;
      this.#native.settle(lane, ticket, isFresh);
    });
  }

  // Counting

  /** Something happens: what is counted is taken now and then. */
  #stir(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#collectedAtMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  #tick(): void {
    if (this.collect() > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Takes what was counted until now; returns how many requests that were. */
  collect(): number {
    if (this.#isClosed) return 0;
    let requests = 0;
    for (let lane = 0; lane < this.#given.length; lane += 1) {
      const tally = this.#native.tally(lane);
      requests += tally.requests;
      this.#count(lane, tally);
      this.#options.onTally(tally, this);
    }
    this.addresses.forgetUnused();
    this.agents.forgetUnused();
    for (const id of this.#forgotten.splice(0)) this.#volumes.delete(id);
    this.#setLimits(requests);
    return requests;
  }

  #count(lane: number, tally: NativeTally): void {
    const before = this.#counted[lane] as LaneCounts;
    this.#counted[lane] = {
      requests: before.requests + tally.requests,
      bytes: before.bytes + tally.bytes,
      validated: before.validated + tally.validated,
      questions: before.questions + tally.questions,
      returned: before.returned + tally.returned,
      samplesDropped: before.samplesDropped + tally.samplesDropped,
    };
  }

  #setLimits(requests: number): void {
    const nowMs = performance.now();
    const seconds = Math.max(tickMs / 4, nowMs - this.#collectedAtMs) / 1_000;
    this.#collectedAtMs = nowMs;
    const perLane = requests / seconds / this.#given.length;
    this.#sampleEvery = Math.max(1, Math.ceil(perLane / looksPerSecondMax));
    this.#isOpen = !this.#options.mustSeeAll();
    const { idleTimeoutMs, bytesInFlight } = this.#options.limits;
    this.#native.setLimits(idleTimeoutMs, bytesInFlight, this.#sampleEvery, this.#isOpen);
  }

  /** Limits have changed, or who looks at requests, or what may be answered: no grant counts any more. */
  adjust(): void {
    for (const volume of this.#volumes.values()) volume.endGrant();
    this.collect();
  }

  /** Ends the threads. Every connection must have come back. */
  close(): void {
    if (this.#isClosed) return;
    this.collect();
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#native.close();
  }
}
