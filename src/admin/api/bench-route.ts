/** /api/bench: one at a time, ended when the client that asked for it goes away. */
import type { FastifyInstance } from 'fastify';
import {
  count,
  described,
  input,
  type JsonSchema,
  list,
  optional,
  refined,
  type ValueOf,
  withDefault,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { ProxyActions } from '../admin-options.ts';
import { json } from '../admin-page.ts';
import { benchResult, runBench } from './bench-run.ts';
import { goneSignal } from './client-gone.ts';
import { fidSchema, parsedFid } from './fids.ts';
import type { OwnListener } from './own-listener.ts';
import { authorizationFor } from './read-routes.ts';
import { apiRefusals, refusal } from './refusals.ts';

const mebibyte = 1024 * 1024;
export const benchIterationsMax = 200_000;
export const benchDepthMax = 64;
export const benchFidsMax = 1000;
export const benchBytesMax: number = 16 * 1024 * mebibyte;
export const benchMsMax = 30_000;
/** Without fids: as many of those that are asked for most. */
const chosenFids = 64;

const benchBody = input({
  fids: optional(
    described(
      refined(list(fidSchema), { minItems: 1, maxItems: benchFidsMax }),
      'Default: the cached needles that are asked for most.',
    ),
  ),
  iterations: refined(count, { minimum: 1, maximum: benchIterationsMax }),
  size: described(
    withDefault(refined(count, { maximum: 2 ** 32 }), 0),
    'First bytes of each needle to read, by a Range; 0: all of it.',
  ),
  depth: withDefault(refined(count, { minimum: 1, maximum: benchDepthMax }), 1),
});

const schema: JsonSchema = {
  tags: ['try'],
  summary: "Reads needles over and over through the proxy's own listener",
  description:
    'The client shares the thread with the proxy, so the figures compare outcomes; they are no limit of either.',
  body: benchBody,
  response: {
    200: described(benchResult, 'What was measured.'),
    409: refusal('Another benchmark is under way, or there is nothing to read.'),
    503: refusal('The proxy is starting or draining.'),
    ...apiRefusals,
  },
};

export function addBenchRoute(
  app: FastifyInstance,
  proxy: ProxyActions,
  listener: OwnListener,
  hooks: AccessHooks,
): void {
  let isRunning = false;
  app.post<{ Body: ValueOf<typeof benchBody> }>(
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
