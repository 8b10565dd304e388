/**
 * Types of the native part's lanes (native/addon/lane_binding.cc). Arguments are valid when they get there; what would
 * read or write beyond a buffer is refused.
 */

export interface NativeLanesOptions {
  readonly lanes: number;
  /** Upper bounds of the buckets, in seconds. */
  readonly durationBounds: readonly number[];
  readonly waitBounds: readonly number[];
  readonly samplesMax: number;
  readonly copiedBytesMax: number;
  readonly idleTimeoutMs: number;
  readonly bytesInFlightMax: number;
}

/** Numbers of one row of events, and the kinds that stand in the first of them (native/addon/lane_set.cc). */
export const laneRowNumbers = 6;
export const laneRows = { returned: 1, question: 2, freed: 3 } as const;

/** Why a connection comes back (native/lane/events.h). */
export const laneReasons = ['bytes', 'asked', 'idle', 'broken'] as const;
export type LaneReason = (typeof laneReasons)[number];

/** Empty counts: nothing was observed. */
export interface NativeHistogram {
  readonly counts: Float64Array;
  readonly seconds: number;
}

export interface NativeSample {
  /** The request's head, latin1. */
  readonly request: string;
  readonly answerHead: string;
  readonly entry: number;
  readonly peer: number;
  /** How many requests it stands for. */
  readonly weight: number;
  readonly durationMs: number;
  readonly bytes: number;
}

/** Counts of one lane since the last call. */
export interface NativeTally {
  readonly requests: number;
  readonly bytes: number;
  readonly validated: number;
  readonly returned: number;
  readonly questions: number;
  readonly samplesDropped: number;
  readonly durations: NativeHistogram;
  readonly waits: NativeHistogram;
  /** Five numbers each: peer, agent, volume, requests, bytes. */
  readonly cells: Float64Array;
  readonly samples: readonly NativeSample[];
}

export interface NativeLanes {
  /** -1: no hole in the request, no second place of the id; `expiresInMs` 0: never. Returns 0 where it is published already. */
  publish(
    request: Buffer,
    holeAt: number,
    holeEnd: number,
    answer: Buffer,
    idAt: number,
    idAgainAt: number,
    dateAt: number,
    body: Buffer | undefined,
    volume: number,
    agent: number,
    expiresInMs: number,
    isByReference: boolean,
  ): number;
  /** True: nothing reads its body any more; false: an event will tell. */
  withdraw(entry: number): boolean;
  addVolume(volume: number): void;
  dropVolume(volume: number): void;
  forgetVolume(volume: number): void;
  /** 0: ends it. */
  grant(volume: number, forMs: number): void;
  give(lane: number, connection: number, fd: number, peer: number): void;
  askBack(lane: number, connection: number, isNow: boolean): void;
  settle(lane: number, ticket: number, isFresh: boolean): void;
  restingMs(lane: number, connection: number): number;
  setLimits(
    idleTimeoutMs: number,
    bytesInFlightMax: number,
    sampleEvery: number,
    isOpen: boolean,
  ): void;
  bytesInFlight(): number;
  tally(lane: number): NativeTally;
  close(): void;
}

export interface NativeLaneExports {
  readonly Lanes: new (
    options: NativeLanesOptions,
    onEvents: (rows: Float64Array, bytes: Buffer) => void,
  ) => NativeLanes;
}
