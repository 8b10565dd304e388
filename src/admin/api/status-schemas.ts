/** The status pages as /openapi.json describes them. Answers may hold more than is described. */
import {
  amount,
  count,
  described,
  flag,
  type JsonSchema,
  list,
  mapOf,
  oneOf,
  record,
  refusals,
  text,
} from './json-schema.ts';

const status = ['status'];

export const livenessSchema: JsonSchema = {
  tags: status,
  summary: 'The process answers',
  security: [],
  response: { 200: { description: 'It does.', ...record({ status: oneOf('ok') }) } },
};

const readiness: JsonSchema = record({ status: oneOf('ready', 'not ready'), detail: text });

export const readinessSchema: JsonSchema = {
  tags: status,
  summary: 'Requests may be sent here',
  security: [],
  response: {
    200: { description: 'They may.', ...readiness },
    503: { description: 'Starting, draining, or mode = "require" without a target.', ...readiness },
  },
};

const verdict = oneOf('ok', 'degraded', 'down');
const health: JsonSchema = record({
  status: verdict,
  role: oneOf('proxy', 'target'),
  version: text,
  uptimeSeconds: amount,
  checks: mapOf(record({ status: verdict, detail: text })),
});

export const healthSchema: JsonSchema = {
  tags: status,
  summary: 'Checks of the role, with the reasons of each verdict',
  response: {
    200: { description: 'Serving; degraded: slower than it could be.', ...health },
    503: { description: 'Not serving.', ...health },
    ...refusals,
  },
};

export const metricsSchema: JsonSchema = {
  tags: status,
  summary: 'Metrics in the Prometheus text format',
  response: {
    200: {
      description: 'docs/metrics.md names each.',
      content: { 'text/plain': { schema: text } },
    },
    ...refusals,
  },
};

const arena: JsonSchema = record({
  pageKind: oneOf('hugetlb', 'transparent', 'normal'),
  bytesTotal: count,
  bytesLeased: count,
  leasesOutstanding: count,
  leaseLeaks: count,
});

export const cacheStats: JsonSchema = record({
  hits: count,
  misses: count,
  hitBytes: count,
  validatedHits: count,
  validations: count,
  validationsFailed: count,
  joins: count,
  evictions: mapOf(count),
  needles: count,
  bytes: count,
  bytesMax: count,
  decodedBytes: count,
  decodedForms: count,
  decodingBytes: count,
  decodingRefusals: count,
  refusals: count,
});

/** Not there for a volume server without a target. */
const targetState: JsonSchema = {
  type: 'object',
  required: ['kind'],
  properties: { kind: oneOf('connecting', 'up', 'down'), transport: text, sessionId: text },
};

const targetStatus: JsonSchema = {
  type: 'object',
  required: ['address', 'upstreamUrl', 'breaker', 'volumes', 'volumesConfirmed', 'isUpstreamUp'],
  properties: {
    address: text,
    upstreamUrl: text,
    state: targetState,
    breaker: text,
    volumes: count,
    volumesConfirmed: count,
    server: text,
    auth: oneOf('open', 'required', 'unknown'),
    isUpstreamUp: flag,
    upstream: {
      type: 'object',
      required: ['kind'],
      properties: { kind: oneOf('unknown', 'up', 'strange', 'down'), detail: text },
    },
  },
};

const volumeIds: JsonSchema = record({ count, first: list(count) });

/** Not there before the first answer of the volume server, nor with unconfirmed = true. */
const coverage: JsonSchema = record({
  listed: count,
  served: count,
  missing: volumeIds,
  unserved: volumeIds,
  tiered: count,
  overdue: count,
  serverDirs: list(text),
  detail: text,
});

/** Where UCX may open TCP ports; not there where UCX is not used. */
const ucxTcp: JsonSchema = record({ devices: text, exposed: list(text) });

/** The clients part of /stats and /api/traffic. */
export const clientsStatus: Readonly<Record<string, JsonSchema>> = {
  requests: described(count, "Requests of clients, without those of this package's programs."),
  ownRequests: described(count, 'Requests of the admin API, the doctor, targets and proxies.'),
  lastRequestSecondsAgo: {
    ...count,
    nullable: true,
    description: 'null: no client came since the start.',
  },
  tracked: described(count, 'Clients that are told apart now.'),
};

const outcomes: JsonSchema = record({
  cache: count,
  rdma: count,
  passthrough: count,
  error: count,
});

const common = { role: text, version: text, uptimeSeconds: amount, isListening: flag };

const proxyStats: JsonSchema = {
  type: 'object',
  required: ['role', 'version', 'uptimeSeconds', 'mode', 'targets', 'cache', 'requests'],
  properties: {
    ...common,
    mode: oneOf('prefer', 'require', 'off'),
    isDraining: flag,
    connections: count,
    connectionsMax: count,
    requestsInFlight: count,
    targets: list(targetStatus),
    ucxTcp,
    unannounced: record({ count, first: list(count), reads: count }),
    cache: cacheStats,
    arena,
    requests: record({
      requests: count,
      outcomes,
      passthrough: mapOf(count),
      errors: mapOf(count),
      transports: mapOf(count),
      bodyBytes: count,
    }),
    clients: record(clientsStatus),
  },
};

const targetStats: JsonSchema = {
  type: 'object',
  required: ['role', 'version', 'uptimeSeconds', 'sessions', 'reads', 'arena', 'listed'],
  properties: {
    ...common,
    isDraining: flag,
    sessions: count,
    sessionsTotal: count,
    ucxTcp,
    connections: record({
      waiting: count,
      ended: count,
      descriptors: count,
      descriptorsMax: count,
      lostPorts: count,
    }),
    bytesSent: count,
    bytesReceived: count,
    reads: mapOf(count),
    volumesLoaded: count,
    volumesConfirmed: count,
    needles: count,
    arena,
    coverage,
    listed: list({ type: 'object' }),
  },
};

export function statsSchemaOf(role: 'proxy' | 'target'): JsonSchema {
  return {
    tags: status,
    summary: 'Counters and states since the start, as JSON',
    response: {
      200: { description: 'Exact, not sampled.', ...(role === 'proxy' ? proxyStats : targetStats) },
      ...refusals,
    },
  };
}
