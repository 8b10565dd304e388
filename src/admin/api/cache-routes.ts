/** /api/cache and /api/cache/evict. */
import type { FastifyInstance } from 'fastify';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { fidSchema, needleOfFid } from './fids.ts';
import {
  apiRefusals,
  count,
  described,
  flag,
  input,
  type JsonSchema,
  list,
  record,
  text,
} from './json-schema.ts';
import { cacheStats } from './status-schemas.ts';

export const listedNeedlesMax = 1000;
/** The most fids, or needles, in one request. */
export const evictedMax = 10_000;

const u32: JsonSchema = { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 };
const needleIdMax = 2n ** 64n - 1n;
const decimal: JsonSchema = { type: 'string', pattern: '^[0-9]{1,20}$' };

const needle: JsonSchema = record({
  volumeId: count,
  needleId: described(text, 'Decimal: it has 64 bits. The cookie is a secret and is not listed.'),
  bytes: described(count, 'As stored.'),
  hits: described(count, 'An estimate of how often it was asked for lately; 255: or more.'),
  decoded: described(flag, 'True if the decoded form is cached too.'),
});

const listSchema: JsonSchema = {
  tags: ['cache'],
  summary: 'Lists cached needles, those asked for most lately first',
  querystring: input({
    limit: { type: 'integer', minimum: 0, maximum: listedNeedlesMax, default: 100 },
  }),
  response: {
    200: {
      description: 'The needles that were used last.',
      ...record({ stats: cacheStats, needles: list(needle) }),
    },
    ...apiRefusals,
  },
};

const evictSchema: JsonSchema = {
  tags: ['cache'],
  summary: 'Drops needles from the cache: some, those of a volume, or all',
  body: input({
    fids: { type: 'array', items: fidSchema, maxItems: evictedMax },
    needles: {
      type: 'array',
      items: input({ volumeId: u32, needleId: decimal }, ['volumeId', 'needleId']),
      maxItems: evictedMax,
      description: 'Needles as GET /api/cache lists them.',
    },
    volumeId: u32,
    all: flag,
  }),
  response: {
    200: { description: 'How many left.', ...record({ evicted: count }) },
    ...apiRefusals,
  },
};

interface EvictBody {
  readonly fids?: readonly string[];
  readonly needles?: readonly { readonly volumeId: number; readonly needleId: string }[];
  readonly volumeId?: number;
  readonly all?: boolean;
}

export function addCacheRoutes(
  app: FastifyInstance,
  proxy: ProxyActions,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: { limit: number } }>(
    '/api/cache',
    { onRequest: hooks.api, schema: listSchema },
    ({ query }, reply) => {
      const needles = proxy.cachedNeedles(query.limit);
      return json(reply, 200, {
        stats: proxy.cacheStats(),
        needles: needles.map(({ cookie: _secret, ...shown }) => shown),
      });
    },
  );
  app.post<{ Body: EvictBody }>(
    '/api/cache/evict',
    { onRequest: hooks.action, schema: evictSchema },
    ({ body }, reply) => {
      const { fids, needles, volumeId, all } = body;
      if ((fids ?? needles ?? volumeId) === undefined && all !== true) {
        return json(reply, 400, {
          error: 'say what: {"fids": […]}, {"needles": […]}, {"volumeId": N} or {"all": true}',
        });
      }
      const named = (fids ?? []).map(needleOfFid);
      const wrong = named.indexOf(undefined);
      if (wrong >= 0) return json(reply, 400, { error: `"${fids?.[wrong]}" is not a fid` });
      const large = (needles ?? []).find(({ needleId }) => BigInt(needleId) > needleIdMax);
      if (large !== undefined) {
        return json(reply, 400, { error: `needleId ${large.needleId} has more than 64 bits` });
      }
      const evicted = proxy.evict({
        needles: [
          ...named.filter((each) => each !== undefined),
          ...(needles ?? []).map((each) => ({
            volumeId: each.volumeId,
            needleId: BigInt(each.needleId),
          })),
        ],
        volumeIds: new Set(volumeId === undefined ? [] : [volumeId]),
        isAll: all ?? false,
      });
      return json(reply, 200, { evicted });
    },
  );
}
