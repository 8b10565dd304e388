/** The state of one way to a target, for operators. */
import {
  count,
  described,
  flag,
  oneOf,
  orAbsent,
  record,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';

/**
 * `down`: without a session. `ejected`: it did not answer, or failed, and is probed. `trial`: readmitted, one read at a
 * time until one brings a needle. `admitted`: it carries traffic.
 */
export const railStates = ['down', 'ejected', 'trial', 'admitted'] as const;
export type RailState = (typeof railStates)[number];

/** The reason of a rail whose first attempt is under way. */
export const railConnecting = 'connecting';

export const railStatus = record({
  name: described(text, 'The device as configured; "tcp": the fallback over TCP.'),
  state: oneOf(...railStates),
  isFallback: described(flag, 'It carries traffic only while no other rail does.'),
  isNear: described(flag, 'Its device is on a NUMA node of this process, as far as is known.'),
  isLead: described(flag, 'It carries the validations and the leases.'),
  transport: described(orAbsent(text), 'Absent without a session.'),
  outstandingBytes: described(count, 'Bytes that reads under way on it are expected to bring.'),
  bytesFetched: count,
  reads: described(count, 'Reads sent on it, those sent again included.'),
  sentAgain: described(count, 'Requests that left it for another rail.'),
  doubled: described(count, 'Requests that waited long on it and were sent on another as well.'),
  ejections: count,
  readmissions: count,
  established: described(count, 'Sessions since the start.'),
  lost: described(count, 'Sessions that were up.'),
  reason: described(text, "Why it carries no traffic; '' while it does."),
});
export type RailStatus = ValueOf<typeof railStatus>;
