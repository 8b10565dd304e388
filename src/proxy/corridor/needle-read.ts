/** One plain read of a volume that may be served: from the cache where that is fresh, else from the target. */

import type { Answer, FlatAnswer } from '../../needle/answer/answer.ts';
import { contentType } from '../../needle/answer/answer-headers.ts';
import type { HostFacts } from '../../needle/answer/answer-plan.ts';
import { type PreparedAnswer, variantOf } from '../../needle/answer/prepared-answer.ts';
import { canAnswerAsRust } from '../../needle/answer/rust-answer.ts';
import type {
  Freshness,
  NeedleOutcome,
  OutcomeReceiver,
  PassthroughOutcome,
  Published,
  Race,
  RecallableHead,
} from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { CachedNeedle, CachedVolume } from '../cache/cached-volume.ts';
import type { DecodedForm } from '../cache/decoded-form.ts';
import type { Found, Seeker } from '../cache/found.ts';
import type { NeedleCache } from '../cache/needle-cache.ts';
import { freshnessOf } from '../cache/published-answers.ts';
import type { HedgeWinner } from '../fleet/fleet-status.ts';
import type { WaitingRead } from '../fleet/hedging.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';
import { failed, trouble } from './fallback.ts';
import type { BytesSource } from './needle-answer.ts';
import { type Attempt, answerHolding, attemptFetch } from './needle-attempt.ts';
import { AnswerData, simpleRangeOf } from './needle-fetch.ts';
import type { FetchingRead, Reading, ReadOptions, ReadPlace } from './reading.ts';

/** A needle that is overwritten while its ranges are read is begun again this often. */
const attemptsMax = 3;

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
export class NeedleRead implements FetchingRead, Seeker, WaitingRead, Race {
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
      try {
        this.#receiver.receive(outcome);
      } catch (error) {
        this.#receiver.fail(error);
      }
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

/** Returns the answer built for this variant before; undefined: none, or a fact that it rests on has changed. */
function preparedHit({ cache, entry, read }: Reading, needle: CachedNeedle): NeedleHit | undefined {
  const variant = variantOf(read);
  const prepared = variant === undefined ? undefined : needle.preparedFor(variant);
  if (prepared === undefined || !isCurrent(prepared, entry.facts, read, needle)) return undefined;
  if (prepared.body !== 'decoded') return new NeedleHit(cache, prepared, needle, undefined, read);
  const decoded = cache.decodedForm(needle);
  return decoded && new NeedleHit(cache, prepared, needle, decoded, read);
}

function isCurrent(
  { server, kind, hostType }: PreparedAnswer,
  facts: HostFacts,
  read: ReadRequest,
  needle: CachedNeedle,
): boolean {
  if (facts.server !== server || facts.kind !== kind) return false;
  if (kind === 'rust' && !canAnswerAsRust(read, needle)) return false;
  return hostType === undefined || contentType(read, needle, facts) === hostType;
}

const noBytes: readonly Buffer[] = [];

/**
 * A cached needle whose answer was prepared: head and bytes stay where they are until they are copied into the memory that
 * leaves, or, where they are many, until they leave from the arena.
 */
export class NeedleHit implements Answer, FlatAnswer {
  readonly kind = 'answer';
  readonly source = 'cache';
  readonly transport = 'none';
  readonly cacheStatus = 'hit';
  readonly close: boolean;
  readonly bodyBytes: number;
  readonly #cache: NeedleCache;
  readonly #prepared: PreparedAnswer;
  readonly #needle: CachedNeedle;
  /** It rests on the bytes of the request's head alone: a token counts for a time. */
  readonly #isOfHead: boolean;
  /** In place of the stored bytes. */
  readonly #decoded: DecodedForm | undefined;
  #isHeld: boolean;
  #lent: ReturnType<CachedNeedle['lend']> | undefined;

  /** `needle` is live; `decoded`: its decoded form, where that is what was prepared. */
  constructor(
    cache: NeedleCache,
    prepared: PreparedAnswer,
    needle: CachedNeedle,
    decoded: DecodedForm | undefined,
    { close, token }: Pick<ReadRequest, 'close' | 'token'>,
  ) {
    this.close = close;
    this.#cache = cache;
    this.#isOfHead = !close && token === undefined;
    this.#prepared = prepared;
    this.#needle = needle;
    this.#decoded = decoded;
    this.#isHeld = prepared.body === 'stored';
    if (this.#isHeld) needle.hold();
    decoded?.hold();
    this.bodyBytes = prepared.body === 'none' ? 0 : this.totalBytes;
  }

  get freshness(): Freshness | undefined {
    const isOwn = !this.#isOfHead || this.#decoded !== undefined;
    return isOwn ? undefined : this.#cache.lanes && freshnessOf(this.#needle.volume.policy);
  }

  publish(head: RecallableHead): Published | undefined {
    return this.#cache.publish(this.#needle, this.#prepared, head);
  }

  get totalBytes(): number {
    return this.#decoded === undefined ? this.#needle.dataBytes : this.#decoded.bytes.length;
  }

  get sessionId(): bigint {
    return 0n;
  }

  get answer(): Answer {
    return this;
  }

  get flat(): FlatAnswer {
    return this;
  }

  get status(): Answer['status'] {
    return this.#prepared.status;
  }

  get head(): string {
    return this.#prepared.head;
  }

  get body(): readonly Buffer[] {
    if (this.#prepared.body === 'none') return noBytes;
    if (this.#decoded !== undefined) return [this.#decoded.bytes];
    this.#lent ??= this.#needle.lend();
    return [this.#lent.view];
  }

  get headBytes(): number {
    return this.#prepared.headBytes;
  }

  copyHeadTo(target: Buffer): void {
    this.#prepared.writeHead(target);
  }

  copyTo(target: Buffer): void {
    this.#prepared.writeHead(target);
    const at = this.headBytes;
    if (this.#decoded !== undefined) this.#decoded.bytes.copy(target, at);
    else if (this.#isHeld) this.#needle.copyTo(target, at);
  }

  release(): void {
    this.#lent?.lease.release();
    this.#decoded?.endHold();
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#needle.endHold();
  }
}
