/** /api/requests, /api/requests/follow and /api/fallbacks: the last requests, and those to come. */
import type { FastifyInstance } from 'fastify';
import {
  count,
  described,
  input,
  type JsonSchema,
  list,
  record,
  refined,
  text,
  type ValueOf,
  withDefault,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { fallback, fallbacksMax } from '../traffic/fallback-ring.ts';
import { type RequestEntry, requestEntry } from '../traffic/request-entry.ts';
import { followersMax, waitingBytesMax } from '../traffic/request-tail.ts';
import { requestsKept } from '../traffic/traffic-watch.ts';
import { apiRefusals, refusal } from './refusals.ts';
import { type RequestFilterQuery, requestFilter, requestFilterQuery } from './request-filter.ts';

const limitOf = (max: number, initial: number) =>
  withDefault(refined(count, { minimum: 1, maximum: max }), initial);

const listQuery = input({ limit: limitOf(requestsKept, 100), ...requestFilterQuery.properties });
const page = record({ sampledEvery: count, requests: list(requestEntry) });

const listSchema: JsonSchema = {
  tags: ['traffic'],
  summary: 'The last requests, of every outcome',
  description: `Of the last ${requestsKept} requests, those that pass the filters. Of busy traffic that the proxy answers itself, one request in sampledEvery is kept; all others are kept.`,
  querystring: listQuery,
  response: {
    200: described(page, 'The latest first.'),
    ...apiRefusals,
  },
};

const followSchema: JsonSchema = {
  tags: ['traffic'],
  summary: 'Requests as they end, one JSON object a line, until the client or the proxy ends it',
  description: `Objects with "event": "request" (as /api/requests lists them), "dropped" with "lines" (over ${waitingBytesMax} bytes waited for this follower), "alive" every ten seconds, "end" with "detail" as the last one.`,
  querystring: requestFilterQuery,
  response: {
    200: {
      description: 'Lines, while there are any.',
      content: { 'application/x-ndjson': { schema: text } },
    },
    ...apiRefusals,
    429: refusal(`${followersMax} follow already.`),
  },
};

const fallbackQuery = input({ limit: limitOf(fallbacksMax, 50) });
const fallbackPage = record({ fallbacks: list(fallback) });

const fallbackSchema: JsonSchema = {
  tags: ['traffic'],
  summary: 'The latest requests that the fast path should have answered, and those that failed',
  querystring: fallbackQuery,
  response: {
    200: described(fallbackPage, 'The latest first.'),
    ...apiRefusals,
  },
};

export function addRequestRoutes(
  app: FastifyInstance,
  { traffic }: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  const { ring, tail, fallbacks } = traffic;
  app.get<{ Querystring: ValueOf<typeof listQuery> }>(
    '/api/requests',
    { onRequest: hooks.api, schema: listSchema },
    ({ query }, reply) => {
      const filter = requestFilter(query);
      if (filter.kind === 'wrong') return json(reply, 400, { error: filter.detail });
      const requests: RequestEntry[] = [];
      for (const each of ring.latest()) {
        if (filter.matches(each)) requests.push(each);
        if (requests.length === query.limit) break;
      }
      return json<ValueOf<typeof page>>(reply, 200, {
        sampledEvery: traffic.sampledEvery,
        requests,
      });
    },
  );
  app.get<{ Querystring: RequestFilterQuery }>(
    '/api/requests/follow',
    { onRequest: hooks.api, schema: followSchema },
    ({ query }, reply) => {
      const filter = requestFilter(query);
      if (filter.kind === 'wrong') return json(reply, 400, { error: filter.detail });
      if (tail.isFull) {
        return json(reply, 429, { error: `${followersMax} follow already: end one of them` });
      }
      reply.hijack();
      const { raw } = reply;
      const headers = { ...reply.getHeaders(), 'Content-Type': 'application/x-ndjson' };
      raw.writeHead(200, headers as Record<string, string>).on('error', () => undefined);
      // First: a client that has the head sees each request that is sent from then on.
      raw.once('close', tail.follow(raw, filter.matches));
      if (!raw.writableEnded) raw.flushHeaders();
      return reply;
    },
  );
  app.get<{ Querystring: ValueOf<typeof fallbackQuery> }>(
    '/api/fallbacks',
    { onRequest: hooks.api, schema: fallbackSchema },
    ({ query }, reply) =>
      json<ValueOf<typeof fallbackPage>>(reply, 200, { fallbacks: fallbacks.latest(query.limit) }),
  );
}
