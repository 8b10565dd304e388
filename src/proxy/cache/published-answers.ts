/** The answers of one cached needle that lanes give by themselves. They go when it leaves the cache. */
import type { PreparedAnswer } from '../../needle/answer/prepared-answer.ts';
import type { Freshness, RecallableHead } from '../../needle/needle-outcome.ts';
import { CacheMemory } from '../../rdma/cache-memory.ts';
import type { KeptBytes } from '../../rdma/lease.ts';
import type { LaneVolume } from '../lanes/lane-volume.ts';
import type { BodyHolder, Lanes } from '../lanes/lanes.ts';
import type { CachePolicy } from './cache-policy.ts';

/** Heads of requests for one needle; of more than these the oldest goes. */
const headsMax = 4;
/** Size of what the native part keeps beside the bytes of the heads. */
const entryBytes = 512;
/** An answer that rests on a fact about the host is built anew after so long. */
const factMsMax = 10_000;

/** The parts of a cached needle that are needed. */
export interface PublishedNeedle extends BodyHolder {
  readonly expiresAtMs: number | undefined;
  readonly dataBytes: number;
  readonly volume: {
    readonly volumeId: number;
    readonly policy: CachePolicy;
    published: LaneVolume | undefined;
  };
  lend(): ReturnType<KeptBytes['lend']>;
  hold(): void;
}

export class PublishedAnswers {
  readonly #lanes: Lanes;
  readonly #ttlMarginMs: number;
  readonly #ids: number[] = [];

  /** A needle this close to the end of its ttl is not served. */
  constructor(lanes: Lanes, ttlMarginMs: number) {
    this.#lanes = lanes;
    this.#ttlMarginMs = ttlMarginMs;
  }

  /**
   * Returns how many bytes more are held by it (0: another one went for it; -1: it was published before); undefined: the
   * needle is about to expire.
   */
  add(
    needle: PublishedNeedle,
    prepared: PreparedAnswer,
    request: RecallableHead,
  ): number | undefined {
    const leftMs = Math.min(
      (needle.expiresAtMs ?? Number.POSITIVE_INFINITY) - this.#ttlMarginMs - performance.now(),
      prepared.hostType === undefined ? Number.POSITIVE_INFINITY : factMsMax,
    );
    if (leftMs <= 0) return undefined;
    const { template } = prepared;
    const lent = prepared.body === 'stored' ? needle.lend() : undefined;
    needle.hold();
    const id = this.#lanes.publish(volumeOf(this.#lanes, needle, prepared), {
      ...template,
      request,
      body: lent?.view,
      isByReference: CacheMemory.isByReference(needle.dataBytes),
      holder: needle,
      expiresInMs: leftMs === Number.POSITIVE_INFINITY ? undefined : leftMs,
    });
    lent?.lease.release();
    if (id === 0) {
      needle.endHold();
      return -1;
    }
    const isMore = this.#ids.push(id) <= headsMax;
    if (!isMore) this.#lanes.withdraw(this.#ids.shift() as number);
    return isMore ? request.bytes.length + template.answer.length + entryBytes : 0;
  }

  withdraw(): void {
    for (const id of this.#ids) this.#lanes.withdraw(id);
    this.#ids.length = 0;
  }
}

/** Answers that were published for another server, or another version of it, go. */
function volumeOf(
  lanes: Lanes,
  { volume }: PublishedNeedle,
  { server, kind }: PreparedAnswer,
): LaneVolume {
  volume.published ??= lanes.newVolume(volume.volumeId, volume, freshnessOf(volume.policy));
  const { published } = volume;
  const name = `${kind} ${server}`;
  if (published.server !== name) published.drop();
  published.server = name;
  return published;
}

export function freshnessOf({ consistency }: CachePolicy): Freshness {
  return consistency === 'strict' ? 'asked' : 'granted';
}
