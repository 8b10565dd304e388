/** /api/traffic: who asks, and what is asked for most. */
import type { FastifyInstance } from 'fastify';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { clientsMax } from '../traffic/client-table.ts';
import { hotNeedlesMax } from '../traffic/hot-needles.ts';
import { volumesMax } from '../traffic/traffic-tables.ts';
import {
  amount,
  apiRefusals,
  count,
  described,
  input,
  type JsonSchema,
  list,
  mapOf,
  record,
  text,
} from './json-schema.ts';
import { clientsStatus } from './status-schemas.ts';

export const trafficRowsMax: number = Math.max(clientsMax, hotNeedlesMax, volumesMax);

const counts = {
  perSecond: described(amount, 'Rate over the last seconds, the latest weighted most.'),
  requests: count,
  outcomes: record({ cache: count, rdma: count, passthrough: count, error: count }),
  passthrough: described(mapOf(count), 'Rates by reason; only reasons that occurred.'),
  errors: mapOf(count),
  bodyBytes: count,
};

const schema: JsonSchema = {
  tags: ['traffic'],
  summary: 'Clients and how they are answered; the busiest volumes and needles',
  description: `At most ${clientsMax} clients, ${volumesMax} volumes and ${hotNeedlesMax} needles are told apart: those that were busy lately. A row counts from the moment it appeared.`,
  querystring: input({
    limit: {
      type: 'integer',
      minimum: 0,
      maximum: trafficRowsMax,
      default: 20,
      description: 'Rows of each list.',
    },
  }),
  response: {
    200: {
      description: 'The busiest first.',
      ...record({
        ...clientsStatus,
        clients: list(
          record({
            address: described(text, 'Empty: a unix socket.'),
            userAgent: text,
            ...counts,
          }),
        ),
        volumes: list(record({ volumeId: count, ...counts })),
        needles: described(
          list(
            record({
              volumeId: count,
              needleId: described(text, 'Decimal: it has 64 bits. The cookie is not kept.'),
              ...counts,
            }),
          ),
          'Estimates where one in several requests is looked at.',
        ),
        needlesSampledEvery: count,
        others: described(
          record({
            clients: record({ count, ...counts }),
            volumes: record({ count, ...counts }),
          }),
          'Counts of the rows that made room for others.',
        ),
      }),
    },
    ...apiRefusals,
  },
};

export function addTrafficRoute(
  app: FastifyInstance,
  { traffic }: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: { limit: number } }>(
    '/api/traffic',
    { onRequest: hooks.api, schema },
    ({ query }, reply) => json(reply, 200, traffic.tables.traffic(query.limit)),
  );
}
