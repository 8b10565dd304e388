/** /api/requests and /api/requests/follow: the last requests, and those to come. */
import type { FastifyInstance } from 'fastify';
import { reasons } from '../../needle/outcome.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import type { RequestEntry } from '../traffic/request-entry.ts';
import { requestsKept } from '../traffic/request-ring.ts';
import { followersMax, waitingBytesMax } from '../traffic/request-tail.ts';
import {
  amount,
  apiRefusals,
  count,
  described,
  errorSchema,
  flag,
  input,
  type JsonSchema,
  list,
  oneOf,
  record,
  text,
} from './json-schema.ts';
import { type RequestFilterQuery, requestFilter } from './request-filter.ts';

const entry: JsonSchema = record({
  at: { type: 'string', format: 'date-time' },
  client: described(text, "The client's IP address; empty: a unix socket."),
  userAgent: text,
  isOwn: described(flag, 'True if a program of this package sent the request.'),
  method: described(text, 'Empty: a connection that was piped raw.'),
  path: described(text, "The needle's cookie and tokens are masked."),
  volumeId: { ...count, nullable: true },
  status: { ...count, nullable: true },
  outcome: oneOf('cache', 'rdma', 'passthrough', 'error'),
  reason: { type: 'string', enum: ['', ...reasons] },
  transport: text,
  bodyBytes: count,
  durationMs: amount,
});

const word: JsonSchema = { type: 'string', minLength: 1, maxLength: 256 };
const filters: Readonly<Record<string, JsonSchema>> = {
  outcome: described(word, 'cache, rdma, passthrough, error; several separated by commas.'),
  reason: described(word, 'Reasons of docs/reasons.md, separated by commas.'),
  client: described(word, 'Addresses or networks: 10.0.0.5,10.1.0.0/16.'),
  agent: described(word, 'A part of the User-Agent.'),
  volume: described(word, 'Volume ids, separated by commas.'),
  method: described(word, 'GET, HEAD, …; raw: connections that were piped unread.'),
  status: described(word, '404, or 5xx; several separated by commas.'),
  minDurationMs: amount,
  path: described(word, 'A part of the path as it is shown, masked.'),
  own: { ...flag, default: false, description: "True: also requests of this package's programs." },
};

const listSchema: JsonSchema = {
  tags: ['traffic'],
  summary: 'The last requests, of every outcome',
  description: `Of the last ${requestsKept} requests, those that pass the filters. Of busy traffic that the proxy answers itself, one request in sampledEvery is kept; all others are kept.`,
  querystring: input({
    limit: { type: 'integer', minimum: 1, maximum: requestsKept, default: 100 },
    ...filters,
  }),
  response: {
    200: {
      description: 'The latest first.',
      ...record({ sampledEvery: count, requests: list(entry) }),
    },
    ...apiRefusals,
  },
};

const followSchema: JsonSchema = {
  tags: ['traffic'],
  summary: 'Requests as they end, one JSON object a line, until the client or the proxy ends it',
  description: `Objects with "event": "request" (as /api/requests lists them), "dropped" with "lines" (over ${waitingBytesMax} bytes waited for this follower), "alive" every ten seconds, "end" with "detail" as the last one.`,
  querystring: input(filters),
  response: {
    200: {
      description: 'Lines, while there are any.',
      content: { 'application/x-ndjson': { schema: text } },
    },
    ...apiRefusals,
    429: { ...errorSchema, description: `${followersMax} follow already.` },
  },
};

export function addRequestRoutes(
  app: FastifyInstance,
  { traffic: { ring, tables, tail } }: Pick<ProxyActions, 'traffic'>,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: RequestFilterQuery & { limit: number } }>(
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
      return json(reply, 200, { sampledEvery: tables.sampler.every, requests });
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
      raw.writeHead(200, headers as Record<string, string>).flushHeaders();
      raw.on('error', () => undefined);
      raw.once('close', tail.follow(raw, filter.matches));
      return reply;
    },
  );
}
