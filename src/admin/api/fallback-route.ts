/** /api/fallbacks. */
import type { FastifyInstance } from 'fastify';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { fallbacksMax } from '../traffic/fallback-ring.ts';
import {
  amount,
  apiRefusals,
  described,
  input,
  type JsonSchema,
  list,
  oneOf,
  record,
  text,
} from './json-schema.ts';

const fallback: JsonSchema = record({
  at: { type: 'string', format: 'date-time' },
  outcome: oneOf('passthrough', 'error'),
  reason: described(text, 'docs/reasons.md explains each and says what to do.'),
  method: text,
  path: described(text, "The needle's cookie and tokens are masked."),
  transport: text,
  durationMs: amount,
  error: described(text, "The volume server's failure; '': it did not fail."),
});

const schema: JsonSchema = {
  tags: ['traffic'],
  summary: 'The latest requests that the fast path should have answered, and those that failed',
  querystring: input({
    limit: { type: 'integer', minimum: 1, maximum: fallbacksMax, default: 50 },
  }),
  response: {
    200: { description: 'The latest first.', ...record({ fallbacks: list(fallback) }) },
    ...apiRefusals,
  },
};

export function addFallbackRoute(
  app: FastifyInstance,
  { traffic: { fallbacks } }: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: { limit: number } }>(
    '/api/fallbacks',
    { onRequest: hooks.api, schema },
    ({ query }, reply) => json(reply, 200, { fallbacks: fallbacks.latest(query.limit) }),
  );
}
