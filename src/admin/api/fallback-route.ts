/** /api/fallbacks. */
import type { FastifyInstance } from 'fastify';
import {
  count,
  described,
  input,
  type JsonSchema,
  list,
  record,
  refined,
  type ValueOf,
  withDefault,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { fallback, fallbacksMax } from '../traffic/fallback-ring.ts';
import { apiRefusals } from './refusals.ts';

const query = input({
  limit: withDefault(refined(count, { minimum: 1, maximum: fallbacksMax }), 50),
});
const page = record({ fallbacks: list(fallback) });

const schema: JsonSchema = {
  tags: ['traffic'],
  summary: 'The latest requests that the fast path should have answered, and those that failed',
  querystring: query,
  response: {
    200: described(page, 'The latest first.'),
    ...apiRefusals,
  },
};

export function addFallbackRoute(
  app: FastifyInstance,
  { traffic: { fallbacks } }: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: ValueOf<typeof query> }>(
    '/api/fallbacks',
    { onRequest: hooks.api, schema },
    ({ query }, reply) =>
      json<ValueOf<typeof page>>(reply, 200, { fallbacks: fallbacks.latest(query.limit) }),
  );
}
