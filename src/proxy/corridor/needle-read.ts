/** One plain read of a volume that may be served: from the cache where that is fresh, else from the target. */

import type { Answer, FlatAnswer } from '../../needle/answer/answer.ts';
import { contentType } from '../../needle/answer/answer-headers.ts';
import type { HostFacts } from '../../needle/answer/answer-plan.ts';
import { type PreparedAnswer, variantOf } from '../../needle/answer/prepared-answer.ts';
import { canAnswerAsRust } from '../../needle/answer/rust-answer.ts';
import type { NeedleOutcome, OutcomeReceiver } from '../../needle/needle-outcome.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { Needle, NeedleFacts, NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { CachedNeedle, CachedVolume } from '../cache/cached-volume.ts';
import type { DecodedForm } from '../cache/decoded-form.ts';
import type { Found, Seeker } from '../cache/found.ts';
import type { NeedleCache } from '../cache/needle-cache.ts';
import type { Fetched } from '../cache/needle-flight.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';
import { failed, passTo, trouble } from './fallback.ts';
import { answerFrom, type BytesSource, needsData } from './needle-answer.ts';
import { AnswerData, firstCommand, simpleRangeOf } from './needle-fetch.ts';
import type { Reading, ReadOptions } from './reading.ts';

/** A ttl needle this close to its end is left to the volume server's own clock. */
export const ttlMarginMs = 2_000;
/** A needle that is overwritten while its ranges are read is begun again this often. */
const attemptsMax = 3;

/** `again`: look into the cache again; `changed`: overwritten meanwhile; `data`: metadata is not enough. */
type Attempt = NeedleOutcome | 'again' | 'changed' | 'data';

/**
 * Looks into the cache, fetches, and looks again where another read fetched. A hit is answered in the turn in which it
 * is known to be fresh: no promise lies between.
 */
export class NeedleRead implements Reading, Seeker {
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
  /** The breaker let it through to the target. */
  #admitted = false;
  #changes = 0;

  constructor({ options, entry, fetcher, cache, read }: Reading, receiver: OutcomeReceiver) {
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

  mayAsk(): boolean {
    this.#admitted ||= this.entry.breaker.admit();
    return this.#admitted;
  }

  /** The receiver is told once, perhaps at once. */
  begin(): void {
    if (this.volume === undefined) this.#fetch();
    else this.cache.find(this.volume, this.fetcher, this);
  }

  found(found: Found): void {
    try {
      this.#goOn(found);
    } catch (error) {
      this.#receiver.fail(error);
    }
  }

  #goOn(found: Found): void {
    const { options, entry } = this;
    switch (found.kind) {
      case 'hit':
        this.#answerHit(found.needle);
        return;
      case 'barred':
        this.#receiver.receive(failed(options, entry, found.status));
        return;
      case 'refused':
        this.#receiver.receive(trouble(options, entry, 'breaker'));
        return;
      case 'miss':
        this.stale ||= found.stale;
        this.#fetch();
    }
  }

  #answerHit(needle: CachedNeedle): void {
    const prepared = preparedHit(this, needle);
    if (prepared !== undefined) {
      this.#receiver.receive(prepared);
      return;
    }
    const data = new AnswerData();
    data.hold({ offset: 0, ...needle.lend() });
    const source: BytesSource = { name: 'cache', cached: needle, cacheStatus: 'hit' };
    this.#tell(answerHolding(this, needle, data, source));
  }

  #fetch(): void {
    if (this.mayAsk()) this.#tell(attemptFetch(this));
    else this.#receiver.receive(trouble(this.options, this.entry, 'breaker'));
  }

  #tell(attempt: Promise<Attempt>): void {
    attempt.then(this.#attempted).catch((error: unknown) => this.#receiver.fail(error));
  }

  readonly #attempted = (attempt: Attempt): void => {
    if (typeof attempt !== 'string') {
      this.#receiver.receive(attempt);
      return;
    }
    this.isFirst = false;
    if (attempt === 'data') this.wantsData = true;
    if (attempt === 'again') this.joined = true;
    if (attempt === 'changed') this.#changes += 1;
    if (this.#changes < attemptsMax) this.begin();
    else this.#receiver.receive(trouble(this.options, this.entry, 'deadline'));
  };
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
  if (prepared.body !== 'decoded') return new NeedleHit(prepared, needle, undefined, read.close);
  const decoded = cache.decodedForm(needle);
  return decoded && new NeedleHit(prepared, needle, decoded, read.close);
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
  readonly #prepared: PreparedAnswer;
  readonly #needle: CachedNeedle;
  /** In place of the stored bytes. */
  readonly #decoded: DecodedForm | undefined;
  #isHeld: boolean;
  #lent: ReturnType<CachedNeedle['lend']> | undefined;

  /** `needle` is live; `decoded`: its decoded form, where that is what was prepared. */
  constructor(
    prepared: PreparedAnswer,
    needle: CachedNeedle,
    decoded: DecodedForm | undefined,
    close: boolean,
  ) {
    this.close = close;
    this.#prepared = prepared;
    this.#needle = needle;
    this.#decoded = decoded;
    this.#isHeld = prepared.body === 'stored';
    if (this.#isHeld) needle.hold();
    decoded?.hold();
    this.bodyBytes = prepared.body === 'none' ? 0 : this.totalBytes;
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

async function attemptFetch(reading: NeedleRead): Promise<Attempt> {
  const { options, entry, fetcher, cache, read, volume, wantsData, wantsWhole } = reading;
  const postedAtMs = performance.now();
  const command = firstCommand(read, options, { data: wantsData, whole: wantsWhole });
  const fetched: Fetched =
    volume === undefined
      ? await fetcher.read(command)
      : await cache.fetch(volume, fetcher, command, reading.arrival);
  if (fetched.kind === 'again') return 'again';
  if (fetched.kind === 'failed') {
    // The read that posted it has told the breaker.
    if (fetched.isShared !== true) entry.breaker.ended(fetched.status);
    return failed(options, entry, fetched.status);
  }
  entry.breaker.ended('ok');
  const { needle } = fetched;
  const data = new AnswerData();
  data.hold(fetched.data);
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
