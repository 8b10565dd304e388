/** /api/cache and /api/cache/evict. */
import type { FastifyInstance } from 'fastify';
import { cacheStats, shownNeedle } from '../../proxy/cache/cache-status.ts';
import {
  count,
  described,
  flag,
  input,
  type JsonSchema,
  list,
  optional,
  record,
  refined,
  text,
  type ValueOf,
  withDefault,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { fidSchema, needleOfFid } from './fids.ts';
import { apiRefusals } from './refusals.ts';

export const listedNeedlesMax = 1000;
/** The most fids, or needles, in one request. */
export const evictedMax = 10_000;

const u32 = refined(count, { maximum: 2 ** 32 - 1 });
const needleIdMax = 2n ** 64n - 1n;
const needleIdText = refined(text, { pattern: '^[0-9]{1,20}$' });

const page = record({ stats: cacheStats, needles: list(shownNeedle) });
const eviction = record({ evicted: count });

const listQuery = input({
  limit: withDefault(refined(count, { maximum: listedNeedlesMax }), 100),
});

const evictBody = input({
  fids: optional(refined(list(fidSchema), { maxItems: evictedMax })),
  needles: optional(
    described(
      refined(list(input({ volumeId: u32, needleId: needleIdText })), { maxItems: evictedMax }),
      'Needles as GET /api/cache lists them.',
    ),
  ),
  volumeId: optional(u32),
  all: optional(flag),
});

const listSchema: JsonSchema = {
  tags: ['cache'],
  summary: 'Lists cached needles, those asked for most lately first',
  querystring: listQuery,
  response: {
    200: described(page, 'The needles that were used last.'),
    ...apiRefusals,
  },
};

const evictSchema: JsonSchema = {
  tags: ['cache'],
  summary: 'Drops needles from the cache: some, those of a volume, or all',
  body: evictBody,
  response: {
    200: described(eviction, 'How many left.'),
    ...apiRefusals,
  },
};

export function addCacheRoutes(
  app: FastifyInstance,
  proxy: ProxyActions,
  hooks: AccessHooks,
): void {
  app.get<{ Querystring: ValueOf<typeof listQuery> }>(
    '/api/cache',
    { onRequest: hooks.api, schema: listSchema },
    ({ query }, reply) => {
      const needles = proxy.cachedNeedles(query.limit);
      return json<ValueOf<typeof page>>(reply, 200, {
        stats: proxy.cacheStats(),
        needles: needles.map(({ cookie: _secret, ...shown }) => shown),
      });
    },
  );
  app.post<{ Body: ValueOf<typeof evictBody> }>(
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
      return json<ValueOf<typeof eviction>>(reply, 200, { evicted });
    },
  );
}
