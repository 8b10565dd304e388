/** /livez /readyz /health /stats /metrics: what probes, people and Prometheus look at. */
import type { FastifyInstance } from 'fastify';
import type { AccessHooks } from './admin-access.ts';
import type { AdminOptions } from './admin-options.ts';
import { json } from './admin-page.ts';
import {
  healthSchema,
  livenessSchema,
  metricsSchema,
  readinessSchema,
  statsSchemaOf,
} from './api/status-schemas.ts';

export const probePaths: readonly string[] = ['/livez', '/readyz'];
export const statusPaths: readonly string[] = [...probePaths, '/health', '/stats', '/metrics'];

/** Every question looks at the whole role: it costs a tenth of a millisecond. */
const readinessMs = 50;

function lasting<T>(ms: number, ask: () => T): () => T {
  let last: { readonly value: T; readonly untilMs: number } | undefined;
  return () => {
    const nowMs = performance.now();
    if (last === undefined || last.untilMs <= nowMs) last = { value: ask(), untilMs: nowMs + ms };
    return last.value;
  };
}

export function addStatusRoutes(
  app: FastifyInstance,
  options: AdminOptions,
  hooks: AccessHooks,
): void {
  const { role, version } = options;
  const startedAt = performance.now();
  const uptimeSeconds = (): number => Math.round(performance.now() - startedAt) / 1000;
  const guarded = { onRequest: hooks.page };
  const readiness = lasting(readinessMs, () => options.readiness());

  app.get('/livez', { schema: livenessSchema }, (_request, reply) =>
    json(reply, 200, { status: 'ok' }),
  );
  app.get('/readyz', { schema: readinessSchema }, (_request, reply) => {
    const { isReady, detail } = readiness();
    const status = isReady ? 'ready' : 'not ready';
    return json(reply, isReady ? 200 : 503, { status, detail });
  });
  app.get('/health', { ...guarded, schema: healthSchema }, (_request, reply) => {
    const { status, checks } = options.health();
    const code = status === 'down' ? 503 : 200;
    return json(reply, code, { status, role, version, uptimeSeconds: uptimeSeconds(), checks });
  });
  app.get('/stats', { ...guarded, schema: statsSchemaOf(role) }, (_request, reply) =>
    json(reply, 200, { role, version, uptimeSeconds: uptimeSeconds(), ...options.stats() }),
  );
  app.get('/metrics', { ...guarded, schema: metricsSchema }, async (_request, reply) => {
    const { type, text } = await options.metrics();
    return reply.header('Content-Type', type).send(text);
  });
}
