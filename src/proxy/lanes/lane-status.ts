/** Figures of the lanes, as the admin API tells them. */
import { count, described, list, record, type ValueOf } from '../../schema/json-schema.ts';

export const laneStatus = record({
  connections: described(count, 'Client connections that it has now.'),
  requests: described(count, 'Answered by it.'),
  bytes: described(count, 'Body bytes of these answers.'),
  validated: described(count, 'Of the requests: those that waited for a question to the target.'),
  questions: described(count, 'Questions whether a volume has changed; each is for all who wait.'),
  returned: described(
    count,
    'Connections that went back to the event loop, mostly with a request that is not published.',
  ),
  samplesDropped: described(
    count,
    'Requests that were to be looked at more closely when there was no room for more.',
  ),
});
export type LaneStatus = ValueOf<typeof laneStatus>;

export const lanesStatus = record({
  lanes: list(laneStatus),
  published: described(count, 'Answers that lanes may give.'),
  bytesInFlight: described(count, 'Bytes of long answers that are being sent.'),
});
export type LanesStatus = ValueOf<typeof lanesStatus>;
