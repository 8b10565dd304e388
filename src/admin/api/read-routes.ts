/** /api/read and /api/cache/warm: needles through the proxy's own listener. */
import type { IncomingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import { json } from '../admin-page.ts';
import { goneSignal } from './client-gone.ts';
import { fidSchema, pathOfFid } from './fids.ts';
import { drained, type OwnListener, readOutcome, readOutcomeOf } from './own-listener.ts';
import { apiRefusals, refusal } from './refusals.ts';

const mebibyte = 1024 * 1024;
export interface ReadLimits {
  /** A longer answer is for the HTTP listener itself. */
  readonly readBytesMax: number;
  readonly readMsMax: number;
  /** At once; more are refused. */
  readonly readsMax: number;
  /** Deadline: a needle that is not read by then is reported as an error. */
  readonly warmMsMax: number;
}

export const readLimits: ReadLimits = {
  readBytesMax: 256 * mebibyte,
  readMsMax: 30_000,
  readsMax: 16,
  warmMsMax: 60_000,
};
export const warmedFidsMax = 10_000;
const warmDepth = 16;

/** The token for the volume server: `Authorization` is the admin listener's own. */
export const volumeAuthorization = 'x-seaweed-authorization';

const readQuery = input({ fid: fidSchema });

const readSchema: JsonSchema = {
  tags: ['try'],
  summary: 'One needle as a client of the proxy gets it, with X-Rdma-Source',
  description:
    'X-Seaweed-Authorization is forwarded as Authorization; Range, Accept-Encoding, If-None-Match and If-Modified-Since are forwarded unchanged.',
  querystring: readQuery,
  headers: {
    type: 'object',
    properties: { 'X-Seaweed-Authorization': text, Range: text },
  },
  response: {
    200: {
      description: 'The bytes. Any other status of the HTTP listener is returned unchanged.',
      content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
    },
    413: refusal('The needle is longer than this API reads: ask for a Range.'),
    429: refusal('Too many reads at once.'),
    503: refusal('The proxy is starting or draining.'),
    ...apiRefusals,
  },
};

const warmResult = record({
  fid: text,
  ...readOutcome.properties,
  status: count,
  bytes: count,
});
type WarmResult = ValueOf<typeof warmResult>;

const warmBody = input({
  fids: refined(list(fidSchema), { minItems: 1, maxItems: warmedFidsMax }),
});
const warming = record({ warmed: count, results: list(warmResult) });

const warmSchema: JsonSchema = {
  tags: ['cache'],
  summary: 'Reads needles into the cache',
  body: warmBody,
  response: {
    200: described(warming, 'warmed: number of needles answered from cache or rdma.'),
    429: refusal('Another warming is under way.'),
    ...apiRefusals,
  },
};

interface ReadRoute {
  Querystring: ValueOf<typeof readQuery>;
}

export function addReadRoutes(
  app: FastifyInstance,
  listener: OwnListener,
  hooks: AccessHooks,
  limits: ReadLimits = readLimits,
): void {
  const { readsMax, warmMsMax } = limits;
  let reads = 0;
  app.get<ReadRoute>(
    '/api/read',
    { onRequest: hooks.action, schema: readSchema },
    async (request, reply) => {
      if (reads >= readsMax) {
        return json(reply, 429, { error: `${readsMax} reads are under way already` });
      }
      reads += 1;
      try {
        return await passRead(listener, limits, request, reply);
      } finally {
        reads -= 1;
      }
    },
  );

  let isWarming = false;
  app.post<{ Body: ValueOf<typeof warmBody> }>(
    '/api/cache/warm',
    { onRequest: hooks.action, schema: warmSchema },
    async (request, reply) => {
      if (isWarming) return json(reply, 429, { error: 'another warming is under way' });
      isWarming = true;
      try {
        const signal = AbortSignal.any([goneSignal(reply), AbortSignal.timeout(warmMsMax)]);
        const headers = authorizationFor(request.headers);
        const results = await warm(listener, request.body.fids, headers, signal);
        const isHere = ({ outcome }: WarmResult): boolean =>
          outcome === 'cache' || outcome === 'rdma';
        const warmed = results.filter(isHere).length;
        return json<ValueOf<typeof warming>>(reply, 200, { warmed, results });
      } finally {
        isWarming = false;
      }
    },
  );
}

const passedOn = ['range', 'accept-encoding', 'if-none-match', 'if-modified-since'] as const;
/** Between two hops only, or this listener's own to say. */
const keptBack: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'set-cookie',
  'www-authenticate',
  'cache-control',
  'x-content-type-options',
  'content-security-policy',
  'content-disposition',
]);

async function passRead(
  listener: OwnListener,
  { readBytesMax, readMsMax }: ReadLimits,
  { headers: asked, query }: FastifyRequest<ReadRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const headers = authorizationFor(asked);
  for (const name of passedOn) {
    const value = asked[name];
    if (value !== undefined) headers[name] = value;
  }
  headers['accept-encoding'] ??= 'identity';
  const signal = AbortSignal.any([goneSignal(reply), AbortSignal.timeout(readMsMax)]);
  const answer = await listener.get({ path: pathOfFid(query.fid), headers, signal });
  if (Number(answer.headers['content-length'] ?? 0) > readBytesMax) {
    answer.destroy();
    return json(reply, 413, { error: `over ${readBytesMax} bytes: ask for a Range of it` });
  }
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !keptBack.has(name)) reply.header(name, value);
  }
  // Whatever the needle is, it is no page of this listener.
  reply
    .header('Content-Security-Policy', "sandbox; default-src 'none'")
    .header('Content-Disposition', 'attachment');
  reply.hijack();
  reply.raw.writeHead(answer.statusCode ?? 502, definedHeaders(reply));
  // A client or a proxy that goes away ends the other side; nothing is left to say to either.
  await pipeline(answer, reply.raw).catch(() => reply.raw.destroy());
  return reply;
}

function definedHeaders(reply: FastifyReply): Record<string, number | string | string[]> {
  const headers: Record<string, number | string | string[]> = {};
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

export function authorizationFor(headers: IncomingHttpHeaders): Record<string, string> {
  const given = headers[volumeAuthorization];
  return typeof given === 'string' ? { authorization: given } : {};
}

/** In the order of `fids`. What was not read when `signal` came is an error. */
async function warm(
  listener: OwnListener,
  fids: readonly string[],
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly WarmResult[]> {
  const results: WarmResult[] = [];
  const waiting = fids.entries();
  const worker = async (): Promise<void> => {
    for (const [index, fid] of waiting) {
      results[index] = await warmOne(listener, fid, headers, signal);
    }
  };
  await Promise.all(Array.from({ length: warmDepth }, worker));
  return results;
}

async function warmOne(
  listener: OwnListener,
  fid: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<WarmResult> {
  try {
    const asked = { ...headers, 'accept-encoding': 'gzip' };
    const answer = await listener.get({ path: pathOfFid(fid), headers: asked, signal });
    const status = answer.statusCode ?? 0;
    return { fid, ...readOutcomeOf(answer.headers, status), status, bytes: await drained(answer) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fid, outcome: 'error', reason, status: 0, bytes: 0 };
  }
}
