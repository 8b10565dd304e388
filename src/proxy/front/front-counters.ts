/** The HTTP listener since the start: plain additions across all connections of one front, read on demand. */
import { type CountersOf, count, described, record, zeros } from '../../schema/json-schema.ts';

export const frontCounters = record({
  connections: count,
  requestsInFlight: count,
  bytesInFlight: described(count, 'Bytes of the needles being sent.'),
  bytesCopied: described(count, 'Copied for slow clients, not sent yet.'),
  connectionsAccepted: count,
  connectionsRefused: described(count, 'Over limits.connections.'),
  connectionsEvicted: described(
    count,
    'Closed for a newcomer over limits.connections: they had no request under way, or their address had most.',
  ),
  acceptFailures: described(
    count,
    'The kernel had a connection that could not be taken: out of descriptors, mostly.',
  ),
  headTimeouts: described(count, 'Closed with 400: their head did not come to its end in time.'),
  bodyTimeouts: described(count, 'Closed: their bodies, or raw bytes, came too slowly.'),
  requestsByLane: count,
  requestsByFramework: count,
  connectionsUnread: described(
    count,
    'Piped raw before any request on them was understood. With requestsByLane and requestsByFramework: every finished request, once.',
  ),
  rawPipes: described(
    count,
    'The unread connections, and those that became raw with a request in hand.',
  ),
  rawPipesOpen: count,
  retries: described(count, 'Requests sent to the volume server once more.'),
});
export type FrontCounters = CountersOf<typeof frontCounters>;

export function newFrontCounters(): FrontCounters {
  return zeros(frontCounters);
}
