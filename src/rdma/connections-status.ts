/** TCP connections to the UCX ports of a process that are no session yet, and what they cost. */
import { count, described, record, type ValueOf } from '../schema/json-schema.ts';

export const connectionsStatus = record({
  waiting: described(count, 'Connections whose peers have not said yet who they are.'),
  ended: described(count, 'Connections ended by a bound, since the start.'),
  descriptors: described(count, 'Open in this process, for any use.'),
  lostPorts: described(count, "UCX's ports for data that UCX has closed for good."),
  descriptorsMax: described(count, 'RLIMIT_NOFILE.'),
});
export type ConnectionsStatus = ValueOf<typeof connectionsStatus>;
