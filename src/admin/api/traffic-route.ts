/** /api/traffic: who asks, and what is asked for most. */
import type { FastifyInstance } from 'fastify';
import {
  count,
  described,
  input,
  type JsonSchema,
  refined,
  type ValueOf,
  withDefault,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { traffic } from '../traffic/clients-status.ts';
import { clientsMax, hotNeedlesMax, volumesMax } from '../traffic/traffic-tables.ts';
import { apiRefusals } from './refusals.ts';

export const trafficRowsMax: number = Math.max(clientsMax, hotNeedlesMax, volumesMax);

const query = input({
  limit: described(
    withDefault(refined(count, { maximum: trafficRowsMax }), 20),
    'Rows of each list.',
  ),
});

const schema: JsonSchema = {
  tags: ['traffic'],
  summary: 'Clients and how they are answered; the busiest volumes and needles',
  description: `At most ${clientsMax} clients, ${volumesMax} volumes and ${hotNeedlesMax} needles are told apart: those that were busy lately. A row counts from the moment it appeared.`,
  querystring: query,
  response: {
    200: described(traffic, 'The busiest first.'),
    ...apiRefusals,
  },
};

export function addTrafficRoute(
  app: FastifyInstance,
  proxy: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: ValueOf<typeof query> }>(
    '/api/traffic',
    { onRequest: hooks.api, schema },
    ({ query }, reply) => json(reply, 200, proxy.traffic.traffic(query.limit)),
  );
}
