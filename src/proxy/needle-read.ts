/** One plain read of a volume that may be served: from the cache where that is fresh, else from the target. */
import type { Needle, NeedleFacts, NeedleFetcher } from '../rdma/needle-fetcher.ts';
import type { CachedVolume } from './cache/cached-volume.ts';
import type { Found, NeedleCache } from './cache/needle-cache.ts';
import type { Fetched } from './cache/needle-flight.ts';
import { type FallbackOptions, failed, passTo, tellBreaker, trouble } from './fallback.ts';
import type { ReadRequest } from './needle/read-request.ts';
import { type AnswerSource, answerFrom, answerPrepared, needsData } from './needle-answer.ts';
import { AnswerData, type FetchLimits, firstCommand, simpleRangeOf } from './needle-fetch.ts';
import type { NeedleOutcome } from './needle-outcome.ts';
import type { TargetEntry } from './targets/target-directory.ts';

export interface ReadOptions extends FetchLimits, FallbackOptions {
  readonly decodedBytesMax: number;
}

/** One read and where it is served. */
export interface Reading {
  readonly options: ReadOptions;
  readonly entry: TargetEntry;
  readonly fetcher: NeedleFetcher;
  readonly cache: NeedleCache;
  readonly read: ReadRequest;
}

/** A ttl needle this close to its end is left to the volume server's own clock. */
export const ttlMarginMs = 2_000;
/** A needle that is overwritten while its ranges are read is begun again this often. */
const attemptsMax = 3;

/** `again`: look into the cache again; `changed`: overwritten meanwhile; `data`: metadata is not enough. */
type Attempt = NeedleOutcome | 'again' | 'changed' | 'data';

interface Progress {
  readonly volume: CachedVolume | undefined;
  readonly arrival: number;
  readonly wantsWhole: boolean;
  /** The breaker let it through to the target. */
  admitted: boolean;
  wantsData: boolean;
  joined: boolean;
  stale: boolean;
}

export async function readNeedle(reading: Reading): Promise<NeedleOutcome> {
  const { options, entry, fetcher, cache, read } = reading;
  const volume = cache.volume(fetcher, read.volumeId);
  const progress: Progress = {
    volume,
    arrival: cache.arrive(),
    wantsWhole: volume !== undefined && continuesRun(cache, volume, read),
    admitted: false,
    wantsData: false,
    joined: false,
    stale: false,
  };
  const mayAsk = (): boolean => {
    progress.admitted ||= entry.breaker.admit();
    return progress.admitted;
  };
  let changes = 0;
  for (let isFirst = true; changes < attemptsMax; isFirst = false) {
    if (volume !== undefined) {
      const { needleId, cookie } = read;
      const looked = cache.find(volume, fetcher, { needleId, cookie, isFirst, mayAsk });
      const found = looked instanceof Promise ? await looked : looked;
      if (found.kind === 'hit') return answerHit(reading, found);
      if (found.kind === 'barred') return failed(options, entry, found.status);
      if (found.kind === 'refused') return trouble(options, entry, 'breaker');
      progress.stale ||= found.stale;
    }
    if (!mayAsk()) return trouble(options, entry, 'breaker');
    const attempt = await attemptFetch(reading, progress);
    if (typeof attempt !== 'string') return attempt;
    if (attempt === 'data') progress.wantsData = true;
    if (attempt === 'again') progress.joined = true;
    if (attempt === 'changed') changes += 1;
  }
  return trouble(options, entry, 'deadline');
}

function continuesRun(cache: NeedleCache, volume: CachedVolume, read: ReadRequest): boolean {
  const range = read.range === undefined ? undefined : simpleRangeOf(read.range);
  return range !== undefined && cache.wantsWhole(volume, read.needleId, range.start, range.end);
}

async function answerHit(
  reading: Reading,
  found: Extract<Found, { kind: 'hit' }>,
): Promise<NeedleOutcome> {
  const { needle } = found;
  const data = new AnswerData();
  data.hold(found.data);
  const source: AnswerSource = { name: 'cache', cached: needle, cacheStatus: 'hit' };
  const prepared = answerPrepared(reading, needle, data, source);
  if (prepared !== undefined) return prepared;
  return (await answerHolding(reading, needle, data, source)) as NeedleOutcome;
}

async function attemptFetch(reading: Reading, progress: Progress): Promise<Attempt> {
  const { options, entry, fetcher, cache, read } = reading;
  const { volume, wantsData, wantsWhole } = progress;
  const postedAtMs = performance.now();
  const command = firstCommand(read, options, { data: wantsData, whole: wantsWhole });
  const fetched: Fetched =
    volume === undefined
      ? await fetcher.read(command)
      : await cache.fetch(volume, fetcher, command, progress.arrival);
  if (fetched.kind === 'again') return 'again';
  if (fetched.kind === 'failed') {
    // Whoever posted it has told the breaker.
    if (fetched.isShared !== true) tellBreaker(entry, fetched.status);
    return failed(options, entry, fetched.status);
  }
  tellBreaker(entry, 'ok');
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
  const isCollapsed = progress.joined || fetched.isShared === true;
  const stored = `${fetched.isStored === true ? '; stored' : ''}${isCollapsed ? '; collapsed' : ''}`;
  const cacheStatus = `fwd=${progress.stale ? 'stale' : 'uri-miss'}${stored}`;
  return answerHolding(reading, needle, data, { name: 'rdma', cached: undefined, cacheStatus });
}

/** The data goes home unless it is on its way to the client. */
async function answerHolding(
  reading: Reading,
  needle: NeedleFacts,
  data: AnswerData,
  source: AnswerSource,
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
