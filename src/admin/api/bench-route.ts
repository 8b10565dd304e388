/** /api/bench: one at a time, ended when the client that asked for it goes away. */
import type { FastifyInstance } from 'fastify';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { runBench } from './bench-run.ts';
import { goneSignal } from './client-gone.ts';
import { fidSchema, parsedFid } from './fids.ts';
import {
  amount,
  apiRefusals,
  count,
  described,
  errorSchema,
  input,
  type JsonSchema,
  oneOf,
  record,
} from './json-schema.ts';
import type { OwnListener } from './own-listener.ts';
import { authorizationFor } from './read-routes.ts';

const mebibyte = 1024 * 1024;
export const benchIterationsMax = 200_000;
export const benchDepthMax = 64;
export const benchFidsMax = 1000;
export const benchBytesMax: number = 16 * 1024 * mebibyte;
export const benchMsMax = 30_000;
/** Without fids: as many of those that are asked for most. */
const chosenFids = 64;

const percentiles = record({ p50: amount, p90: amount, p99: amount, max: amount });
const outcomes = record({
  cache: count,
  rdma: count,
  passthrough: count,
  error: count,
  unknown: count,
});

const schema: JsonSchema = {
  tags: ['try'],
  summary: "Reads needles over and over through the proxy's own listener",
  description:
    'The client shares the thread with the proxy, so the figures compare outcomes; they are no limit of either.',
  body: input(
    {
      fids: {
        type: 'array',
        items: fidSchema,
        minItems: 1,
        maxItems: benchFidsMax,
        description: 'Default: the cached needles that are asked for most.',
      },
      iterations: { type: 'integer', minimum: 1, maximum: benchIterationsMax },
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 2 ** 32,
        default: 0,
        description: 'First bytes of each needle to read, by a Range; 0: all of it.',
      },
      depth: { type: 'integer', minimum: 1, maximum: benchDepthMax, default: 1 },
    },
    ['iterations'],
  ),
  response: {
    200: {
      description: 'What was measured.',
      ...record({
        requests: count,
        seconds: amount,
        perSecond: amount,
        bytesPerSecond: amount,
        latencyUs: percentiles,
        outcomes,
        ended: described(oneOf('done', 'time', 'bytes'), 'time, bytes: a limit came first.'),
      }),
    },
    409: {
      ...errorSchema,
      description: 'Another benchmark is under way, or there is nothing to read.',
    },
    503: { ...errorSchema, description: 'The proxy is starting or draining.' },
    ...apiRefusals,
  },
};

interface BenchBody {
  readonly fids?: readonly string[];
  readonly iterations: number;
  readonly size: number;
  readonly depth: number;
}

export function addBenchRoute(
  app: FastifyInstance,
  proxy: ProxyActions,
  listener: OwnListener,
  hooks: AccessHooks,
): void {
  let isRunning = false;
  app.post<{ Body: BenchBody }>(
    '/api/bench',
    { onRequest: hooks.action, schema },
    async ({ body, headers }, reply) => {
      if (isRunning) return json(reply, 409, { error: 'another benchmark is under way' });
      const fids = body.fids ?? mostAsked(proxy);
      if (fids.length === 0) {
        return json(reply, 409, { error: 'the cache is empty: give "fids"' });
      }
      isRunning = true;
      try {
        const signal = goneSignal(reply);
        const plan = { ...body, fids, signal, headers: authorizationFor(headers) };
        const limits = { msMax: benchMsMax, bytesMax: benchBytesMax };
        return json(reply, 200, await runBench(listener, plan, limits));
      } finally {
        isRunning = false;
      }
    },
  );
}

function mostAsked(proxy: ProxyActions): readonly string[] {
  const needles = proxy.cachedNeedles(chosenFids);
  return needles.map(({ volumeId, needleId, cookie }) => parsedFid(volumeId, needleId, cookie));
}
