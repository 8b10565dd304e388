/** The volume servers and their targets, as the fleet knows them. */
import {
  amount,
  count,
  described,
  either,
  list,
  oneOf,
  record,
  recordOf,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';

/** By the last probe that has ended. `strange`: something answers that is no volume server. */
export const upstreamState = either(
  record({ kind: oneOf('unknown') }),
  record({ kind: oneOf('up') }),
  record({ kind: oneOf('strange', 'down'), detail: text }),
);
export type UpstreamState = ValueOf<typeof upstreamState>;

export const breakerStates = ['closed', 'open', 'half-open'] as const;
export const breakerState = oneOf(...breakerStates);
export type BreakerState = ValueOf<typeof breakerState>;

export const hedgeWinners = ['http', 'fabric', 'neither'] as const;
export type HedgeWinner = (typeof hedgeWinners)[number];

/** Reads that waited for one target for longer than others. */
export const hedgeCounts = record({
  late: described(count, 'Forwarded while the target was awaited, since they were late.'),
  silent: described(count, 'Forwarded while the target was awaited, since the breaker opened.'),
  refused: described(count, 'Late, and over the budget.'),
  winners: described(recordOf(hedgeWinners, count), 'By the server whose answer was sent.'),
  afterMs: described(amount, 'A read that waits for longer is late.'),
});
export type HedgeCounts = ValueOf<typeof hedgeCounts>;

/** Volumes that are read for longer than the grace time, and listed by their server, although no target serves them. */
export const unannouncedStatus = record({
  count,
  first: described(list(count), 'The first of many.'),
  reads: described(count, 'Their reads since they are not served.'),
});
export type UnannouncedStatus = ValueOf<typeof unannouncedStatus>;
