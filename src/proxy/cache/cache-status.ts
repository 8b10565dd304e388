/** The hot-needle cache: its counters since the start, and what it holds. */
import {
  type CountersOf,
  count,
  decimal,
  described,
  flag,
  record,
  recordOf,
  type ValueOf,
  zeros,
} from '../../schema/json-schema.ts';
import { evictionReasons } from './needle-store.ts';

const cacheCounters = record({
  hits: count,
  misses: count,
  hitBytes: described(count, 'Stored bytes of the needles that were hit.'),
  validatedHits: described(count, 'Hits that waited for a VALIDATE.'),
  validations: count,
  validationsFailed: count,
  joins: described(count, "Requests that waited for another one's READ."),
  evictions: recordOf(evictionReasons, count),
});
export type CacheCounters = CountersOf<typeof cacheCounters>;

/** Events since the start; metrics are read from here at scrape time. */
export function newCacheCounters(): CacheCounters {
  return zeros(cacheCounters);
}

export const cacheStats = record({
  ...cacheCounters.properties,
  needles: count,
  bytes: described(
    count,
    'Bytes of the cached needles in memory of their own, and of their prepared heads on the heap.',
  ),
  bytesMax: count,
  slabs: described(
    count,
    'Pieces of that memory that are out: one for each needle, and for each that left and is still being sent.',
  ),
  decodedBytes: count,
  decodedForms: count,
  decodingBytes: described(count, 'Bytes of decoded forms that are being made or sent.'),
  decodingRefusals: described(count, 'Decodes that were not begun, for want of room.'),
  refusals: described(count, 'Needles that the cache refused, for others are asked for more.'),
});
export type CacheStats = ValueOf<typeof cacheStats>;

/** A cached needle as the admin API shows it. */
export const shownNeedle = record({
  volumeId: count,
  needleId: described(
    decimal,
    'Decimal: it has 64 bits. The cookie is a secret and is not listed.',
  ),
  bytes: described(count, 'As stored.'),
  hits: described(
    count,
    'An estimate of how often it was asked for lately, halved from time to time; 255: or more.',
  ),
  decoded: described(flag, 'True if the decoded form is cached too.'),
});
export type ShownNeedle = ValueOf<typeof shownNeedle>;
