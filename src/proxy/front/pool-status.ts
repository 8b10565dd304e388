/** The relay's connections to one volume server. */
import { count, described, record, text, type ValueOf } from '../../schema/json-schema.ts';

export const poolStatus = record({
  upstream: text,
  connections: described(count, 'Open ones, idle ones included.'),
  idle: count,
  waiting: described(count, 'Requests without a connection yet.'),
  sentOnNew: count,
  sentOnReused: count,
});
export type PoolStatus = ValueOf<typeof poolStatus>;
