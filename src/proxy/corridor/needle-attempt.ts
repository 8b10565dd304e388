/** One attempt to get a read's needle from its target, and the answer that is made of it. */

import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Needle, NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { Fetched } from '../cache/needle-flight.ts';
import { failed, passTo } from './fallback.ts';
import { answerFrom, type BytesSource, needsData } from './needle-answer.ts';
import { AnswerData, firstCommand } from './needle-fetch.ts';
import type { FetchingRead, Reading } from './reading.ts';

/** A ttl needle this close to its end is left to the volume server's own clock. */
export const ttlMarginMs = 2_000;

/** `again`: look into the cache again; `changed`: overwritten meanwhile; `data`: metadata is not enough. */
export type Attempt = NeedleOutcome | 'again' | 'changed' | 'data';

export async function attemptFetch(reading: FetchingRead): Promise<Attempt> {
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
    if (fetched.isShared === true) {
      // That READ had less time than is left here.
      if (fetched.status === 'deadline' && reading.leftMs > 1) return 'again';
    } else if (fetched.status !== 'deadline' || limits.timeoutMs >= options.timeoutMs / 2) {
      // The rest of an older read's time says nothing about the target.
      entry.breaker.ended(fetched.status);
    }
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
export async function answerHolding(
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
