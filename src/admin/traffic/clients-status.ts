/** The clients of a proxy, counted: a part of /stats and of /api/traffic. */

import { outcomes } from '../../needle/request-record.ts';
import {
  amount,
  count,
  decimal,
  described,
  list,
  mapOf,
  nullable,
  record,
  recordOf,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';

export const clientsStatus = record({
  requests: described(count, "Requests of clients, without those of this package's programs."),
  ownRequests: described(count, 'Requests of the admin API, the doctor, targets and proxies.'),
  lastRequestSecondsAgo: described(nullable(count), 'null: no client came since the start.'),
  tracked: described(count, 'Clients that are told apart now.'),
});
export type ClientsStatus = ValueOf<typeof clientsStatus>;

/** A row of a table as it is shown. */
const trafficCounts = record({
  perSecond: described(amount, 'Rate over the last seconds, the latest weighted most.'),
  requests: count,
  outcomes: recordOf(outcomes, count),
  passthrough: described(mapOf(count), 'Counts by reason; only reasons that occurred.'),
  errors: mapOf(count),
  bodyBytes: count,
});
export type TrafficCounts = ValueOf<typeof trafficCounts>;

const counts = trafficCounts.properties;

const listedClient = record({
  address: described(text, 'Empty: a unix socket.'),
  userAgent: text,
  ...counts,
});
export type ListedClient = ValueOf<typeof listedClient>;

const hotNeedle = record({
  volumeId: count,
  needleId: described(decimal, 'Decimal: it has 64 bits. The cookie is not kept.'),
  ...counts,
});
export type HotNeedle = ValueOf<typeof hotNeedle>;

export const traffic = record({
  ...clientsStatus.properties,
  clients: described(list(listedClient), 'The busiest first.'),
  volumes: list(record({ volumeId: count, ...counts })),
  needles: described(list(hotNeedle), 'Estimates where one in several requests is looked at.'),
  needlesSampledEvery: count,
  others: described(
    record({
      clients: record({ count, ...counts }),
      volumes: record({ count, ...counts }),
    }),
    'Counts of the rows that made room for others.',
  ),
});
export type Traffic = ValueOf<typeof traffic>;
