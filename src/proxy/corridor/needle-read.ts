/** One plain read of a volume that may be served: from the cache where that is fresh, else from the target. */

import type {
  NeedleOutcome,
  OutcomeReceiver,
  PassthroughOutcome,
  Race,
} from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { Needle, NeedleFacts, NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { CachedNeedle, CachedVolume } from '../cache/cached-volume.ts';
import type { Found, Seeker } from '../cache/found.ts';
import type { NeedleCache } from '../cache/needle-cache.ts';
import type { Fetched } from '../cache/needle-flight.ts';
import type { HedgeWinner } from '../fleet/fleet-status.ts';
import type { WaitingRead } from '../fleet/hedging.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';
import { failed, passTo, trouble } from './fallback.ts';
import { answerFrom, type BytesSource, needsData } from './needle-answer.ts';
import { AnswerData, firstCommand, simpleRangeOf } from './needle-fetch.ts';
import { preparedHit } from './needle-hit.ts';
import type { Reading, ReadOptions, ReadPlace } from './reading.ts';

/** A ttl needle this close to its end is left to the volume server's own clock. */
export const ttlMarginMs = 2_000;
/** A needle that is overwritten while its ranges are read is begun again this often. */
const attemptsMax = 3;

/** `again`: look into the cache again; `changed`: overwritten meanwhile; `data`: metadata is not enough. */
type Attempt = NeedleOutcome | 'again' | 'changed' | 'data';

/** From this on the volume server's answer is an error of its own: a target that is awaited may spare it to the client. */
const serverErrorMin = 500;

/**
 * Looks into the cache, fetches, and looks again where another read fetched. A hit is answered in the turn in which it
 * is known to be fresh: no promise lies between.
 *
 * A read that is late is hedged: the volume server is asked as well, and the first answer goes to the client. The rest
 * of a read that has lost the race goes on, since others may wait for it and the cache may keep what it brings; its own
 * lease is released.
 */
export class NeedleRead implements Reading, Seeker, WaitingRead, Race {
  readonly options: ReadOptions;
  readonly entry: TargetEntry;
  readonly fetcher: NeedleFetcher;
  readonly cache: NeedleCache;
  readonly read: ReadRequest;
  readonly volume: CachedVolume | undefined;
  readonly arrival: number;
  readonly wantsWhole: boolean;
  isFirst = true;
  wantsData = false;
  joined = false;
  stale = false;
  readonly #receiver: OutcomeReceiver;
  readonly #begunAtMs = performance.now();
  /** The breaker let it through to the target. */
  #admitted = false;
  #changes = 0;
  /** The receiver was told, or the volume server's answer has begun. */
  #isOver = false;
  #isHedged = false;
  /** The volume server is asked, and no answer has begun. */
  #isRacing = false;
  /** The read's own failure, while the volume server's answer is awaited. */
  #fallback: PassthroughOutcome | undefined;

  constructor({ options, entry, fetcher, cache, read }: ReadPlace, receiver: OutcomeReceiver) {
    this.options = options;
    this.entry = entry;
    this.fetcher = fetcher;
    this.cache = cache;
    this.read = read;
    this.volume = cache.volume(fetcher, read.volumeId);
    this.arrival = cache.arrive();
    this.wantsWhole = this.volume !== undefined && continuesRun(cache, this.volume, read);
    this.#receiver = receiver;
  }

  get needleId(): bigint {
    return this.read.needleId;
  }

  get cookie(): number {
    return this.read.cookie;
  }

  get leftMs(): number {
    return Math.max(1, this.options.timeoutMs - (performance.now() - this.#begunAtMs));
  }

  mayAsk(): boolean {
    this.#admitted ||= this.entry.breaker.admit();
    return this.#admitted;
  }

  /** True: the client has its answer, or will have none, and the rest is for others. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The receiver is told once, perhaps at once. */
  begin(): void {
    this.#look();
    if (!this.#isOver) this.entry.hedging?.began(this);
  }

  #look(): void {
    if (this.volume === undefined) this.#fetch();
    else this.cache.find(this.volume, this.fetcher, this);
  }

  found(found: Found): void {
    if (this.#isOver) return;
    try {
      this.#goOn(found);
    } catch (error) {
      this.#fail(error);
    }
  }

  #goOn(found: Found): void {
    const { options, entry } = this;
    switch (found.kind) {
      case 'hit':
        this.#answerHit(found.needle);
        return;
      case 'barred':
        this.#conclude(failed(options, entry, found.status));
        return;
      case 'refused':
        this.#conclude(trouble(options, entry, 'breaker'));
        return;
      case 'miss':
        this.stale ||= found.stale;
        this.#fetch();
    }
  }

  #answerHit(needle: CachedNeedle): void {
    const prepared = preparedHit(this, needle);
    if (prepared !== undefined) {
      this.#conclude(prepared);
      return;
    }
    const data = new AnswerData();
    data.hold({ offset: 0, ...needle.lend() });
    const source: BytesSource = { name: 'cache', cached: needle, cacheStatus: 'hit' };
    this.#tell(answerHolding(this, needle, data, source));
  }

  #fetch(): void {
    if (this.mayAsk()) this.#tell(attemptFetch(this));
    else this.#conclude(trouble(this.options, this.entry, 'breaker'));
  }

  #tell(attempt: Promise<Attempt>): void {
    attempt.then(this.#attempted).catch((error: unknown) => this.#fail(error));
  }

  readonly #attempted = (attempt: Attempt): void => {
    if (typeof attempt !== 'string') {
      this.#conclude(attempt);
      return;
    }
    if (this.#isOver) return;
    this.isFirst = false;
    if (attempt === 'data') this.wantsData = true;
    if (attempt === 'again') this.#lookAgain();
    if (attempt === 'changed') this.#changes += 1;
    if (this.#changes < attemptsMax && this.leftMs > 1) this.#look();
    else this.#conclude(trouble(this.options, this.entry, 'deadline'));
  };

  /** The READ that it waited for may have failed, and the breaker know better now. */
  #lookAgain(): void {
    this.joined = true;
    this.#admitted = false;
  }

  // The race of a hedged read

  hedge(): boolean {
    const { upstreamUrl, facts } = this.entry;
    if (this.#isOver || this.#isHedged || facts.upstream.kind === 'down') return false;
    this.#isRacing = true;
    const outcome = { kind: 'passthrough', reason: 'hedged', upstreamUrl, race: this } as const;
    this.#isHedged = this.#receiver.hedge?.(outcome) === true;
    if (!this.#isHedged) this.#isRacing = false;
    return this.#isHedged;
  }

  won(status: number): Reason | undefined {
    const isError = status >= serverErrorMin && this.#fallback === undefined;
    if (this.#isOver || isError) return undefined;
    this.#end('http');
    return this.#fallback?.reason ?? 'hedged';
  }

  lost(): void {
    this.#isRacing = false;
    if (this.#fallback !== undefined) this.#conclude(this.#fallback);
  }

  #conclude(outcome: NeedleOutcome): void {
    if (this.#isOver) {
      if (outcome.kind === 'answer') outcome.release();
    } else if (this.#isRacing && outcome.kind === 'passthrough') {
      // The request is on its way to the volume server already.
      this.#fallback = outcome;
    } else {
      this.#end(outcome.kind === 'answer' ? 'fabric' : 'neither');
      this.#receiver.receive(outcome);
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end('neither');
    this.#receiver.fail(error);
  }

  #end(winner: HedgeWinner): void {
    this.#isOver = true;
    this.#isRacing = false;
    this.entry.hedging?.ended(this, this.#isHedged ? winner : undefined);
  }
}

function continuesRun(cache: NeedleCache, volume: CachedVolume, read: ReadRequest): boolean {
  const range = read.range === undefined ? undefined : simpleRangeOf(read.range);
  return range !== undefined && cache.wantsWhole(volume, read.needleId, range.start, range.end);
}

async function attemptFetch(reading: NeedleRead): Promise<Attempt> {
  const { options, entry, fetcher, cache, read, volume, wantsData, wantsWhole } = reading;
  const postedAtMs = performance.now();
  const limits = { needleBytesMax: options.needleBytesMax, timeoutMs: reading.leftMs };
  const command = firstCommand(read, limits, { data: wantsData, whole: wantsWhole });
  const fetched: Fetched =
    volume === undefined
      ? await fetcher.read(command)
      : await cache.fetch(volume, fetcher, command, reading.arrival);
  if (fetched.kind === 'again') return 'again';
  if (fetched.kind === 'failed') {
    // The read that posted it has told the breaker.
    if (fetched.isShared !== true) entry.breaker.ended(fetched.status);
    if (fetched.status === 'deadline') noteTime(reading, fetched, postedAtMs);
    return failed(options, entry, fetched.status);
  }
  entry.breaker.ended('ok');
  noteTime(reading, fetched, postedAtMs);
  const { needle } = fetched;
  const data = new AnswerData();
  data.hold(fetched.data);
  if (reading.isOver) {
    data.release();
    return passTo(entry.upstreamUrl, 'hedged');
  }
  if (isNearExpiry(needle, postedAtMs)) {
    data.release();
    return passTo(entry.upstreamUrl, 'ttl');
  }
  // Data that is fetched as such can be cached.
  const isBare = command.metadataOnly && volume !== undefined;
  if (isBare && needsData(read, needle, entry.facts)) return 'data';
  const isCollapsed = reading.joined || fetched.isShared === true;
  const stored = `${fetched.isStored === true ? '; stored' : ''}${isCollapsed ? '; collapsed' : ''}`;
  const cacheStatus = `fwd=${reading.stale ? 'stale' : 'uri-miss'}${stored}`;
  return answerHolding(reading, needle, data, { name: 'rdma', cached: undefined, cacheStatus });
}

/** Only the read that posted a READ knows how long that took. */
function noteTime(
  { entry }: Reading,
  { isShared }: { readonly isShared?: true },
  postedAtMs: number,
): void {
  if (isShared !== true) entry.hedging?.took(performance.now() - postedAtMs);
}

/** The data goes home unless it is on its way to the client. */
async function answerHolding(
  reading: Reading,
  needle: NeedleFacts,
  data: AnswerData,
  source: BytesSource,
): Promise<NeedleOutcome | 'changed'> {
  let answered = false;
  try {
    const outcome = await answerFrom(reading, needle, data, source);
    answered = outcome !== 'changed' && outcome.kind === 'answer';
    return outcome;
  } finally {
    if (!answered) data.release();
  }
}

function isNearExpiry(needle: Needle, postedAtMs: number): boolean {
  if (needle.ttlLeftMs === undefined) return false;
  return needle.ttlLeftMs - (performance.now() - postedAtMs) < ttlMarginMs;
}
