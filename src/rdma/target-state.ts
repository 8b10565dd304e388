/** The session with a target, the volumes that it announces, and what was asked of it. */
import {
  amount,
  count,
  decimal,
  described,
  either,
  flag,
  mapOf,
  oneOf,
  orAbsent,
  record,
  text,
  type ValueOf,
} from '../schema/json-schema.ts';
import { statusNames } from './status.ts';

export const targetState = either(
  record({ kind: oneOf('connecting') }),
  record({
    kind: oneOf('up'),
    transport: described(text, "UCX's own name, or inproc."),
    sessionId: described(decimal, 'Decimal: it has 64 bits.'),
  }),
  record({
    kind: oneOf('down'),
    status: oneOf(...statusNames),
    detail: described(text, "The transport's own wording."),
  }),
);
export type TargetState = ValueOf<typeof targetState>;

export const targetVolume = record({
  volumeId: count,
  version: count,
  confirmed: flag,
  collection: text,
});
export type TargetVolume = ValueOf<typeof targetVolume>;

/** Counts of one target since the start. */
export const targetCounts = record({
  established: count,
  lost: described(count, 'Sessions that were up.'),
  failed: described(count, 'Attempts that ended before there was a session.'),
  fetches: described(mapOf(count), 'Reads by the status that they ended with; only what happened.'),
  bytesFetched: count,
  pingUs: described(
    orAbsent(amount),
    'Round trip of the last PING; absent before one was answered.',
  ),
});
export type TargetCounts = ValueOf<typeof targetCounts>;
