/** Every metric of both roles: the single source; docs/metrics.md explains them and a test compares the two. */

import { type CacheMetricName, cacheMetricTable } from './cache-metric-table.ts';
import {
  type ConfigurationMetricName,
  configurationMetricTable,
} from './configuration-metric-table.ts';
import type { MetricRow } from './metric-row.ts';
import { type SidecarMetricName, sidecarMetricTable } from './sidecar-metric-table.ts';
import { type TrafficMetricName, trafficMetricTable } from './traffic-metric-table.ts';

/** From a needle out of shared memory to a client's own deadline. */
const requestBuckets: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10, 30,
];

/** From a shared-memory round trip to rdma.timeout. */
const operationBuckets: readonly number[] = [
  0.000005, 0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1,
  0.5, 1, 2, 5,
];

const arenaAndLeases = {
  leasesOutstanding: {
    name: 'seaweed_rdma_leases_outstanding',
    type: 'gauge',
    help: 'Leases on arena memory that are held.',
    labels: [],
  },
  leaseLeaks: {
    name: 'seaweed_rdma_lease_leaks_total',
    type: 'counter',
    help: 'Leases that the program forgot and the finalizer returned; each one is a defect.',
    labels: [],
  },
  arenaBytes: {
    name: 'seaweed_rdma_arena_bytes',
    type: 'gauge',
    help: 'Bytes of the registered arena: total, leased, free.',
    labels: ['state'],
  },
  arenaRefusals: {
    name: 'seaweed_rdma_arena_refusals_total',
    type: 'counter',
    help: 'Slabs of the arena that were refused because none of their size was free.',
    labels: [],
  },
} as const satisfies Record<string, MetricRow>;

const sessions = {
  sessionsActive: {
    name: 'rdma_sessions_active',
    type: 'gauge',
    help: 'Sessions between proxy and target that are up.',
    labels: [],
  },
  bytesTransferred: {
    name: 'rdma_bytes_transferred_total',
    type: 'counter',
    help: 'Payload bytes received (rx) and sent (tx) over the fabric.',
    labels: ['direction'],
  },
} as const satisfies Record<string, MetricRow>;

const buildInfo = {
  buildInfo: {
    name: 'seaweed_rdma_build_info',
    type: 'gauge',
    help: 'Always 1; the labels name the version, Node and role that run.',
    labels: ['version', 'node', 'role'],
  },
} as const satisfies Record<string, MetricRow>;

export const proxyMetricTable: Readonly<Record<ProxyMetricName, MetricRow>> = {
  requests: {
    name: 'seaweed_rdma_requests_total',
    type: 'counter',
    help: 'Finished requests, and connections piped raw, by outcome, reason and transport. Exact.',
    labels: ['outcome', 'reason', 'transport'],
  },
  requestDuration: {
    name: 'seaweed_rdma_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the parsed request to the last byte of its answer.',
    labels: ['outcome'],
    buckets: requestBuckets,
  },
  responseBytes: {
    name: 'seaweed_rdma_response_bytes_total',
    type: 'counter',
    help: 'Body bytes sent to clients.',
    labels: ['outcome'],
  },
  operations: {
    name: 'rdma_operations_total',
    type: 'counter',
    help: 'Reads that the proxy asked targets for. An answer that names a state of the needle or volume is a success.',
    labels: ['type', 'result'],
  },
  operationDuration: {
    name: 'rdma_operation_duration_seconds',
    type: 'histogram',
    help: 'Time from posting a read to its completion.',
    labels: ['type'],
    buckets: operationBuckets,
  },
  ...sessions,
  ...arenaAndLeases,
  ...configurationMetricTable,
  connections: {
    name: 'seaweed_rdma_connections',
    type: 'gauge',
    help: 'Client connections that are open.',
    labels: [],
  },
  requestsInFlight: {
    name: 'seaweed_rdma_requests_in_flight',
    type: 'gauge',
    help: 'Requests that are being answered.',
    labels: [],
  },
  targetUp: {
    name: 'seaweed_rdma_target_up',
    type: 'gauge',
    help: '1 while the session with the target is up.',
    labels: ['target', 'transport'],
  },
  breakerOpen: {
    name: 'seaweed_rdma_breaker_open',
    type: 'gauge',
    help: '1 while the breaker keeps reads away from the target.',
    labels: ['target'],
  },
  upstreamUp: {
    name: 'seaweed_rdma_upstream_up',
    type: 'gauge',
    help: '1 while the volume server answers the probe.',
    labels: ['upstream'],
  },
  volumes: {
    name: 'seaweed_rdma_volumes',
    type: 'gauge',
    help: 'Volumes that a target announces: confirmed by their server lately, or unconfirmed.',
    labels: ['target', 'state'],
  },
  ...trafficMetricTable,
  ...cacheMetricTable,
  ...sidecarMetricTable,
  ...buildInfo,
};

export const targetMetricTable: Readonly<Record<TargetMetricName, MetricRow>> = {
  ...sessions,
  ...arenaAndLeases,
  ...configurationMetricTable,
  sessionsPending: {
    name: 'seaweed_rdma_target_sessions_pending',
    type: 'gauge',
    help: 'Connections that have not yet proved that they may read.',
    labels: [],
  },
  connectionsWaiting: {
    name: 'seaweed_rdma_target_connections_waiting',
    type: 'gauge',
    help: 'TCP connections to UCX ports whose peer has not said who it is.',
    labels: [],
  },
  connectionsEnded: {
    name: 'seaweed_rdma_target_connections_ended_total',
    type: 'counter',
    help: 'TCP connections to UCX ports that were closed after rdma.handshake_timeout or over rdma.max_pending_per_address.',
    labels: [],
  },
  sessionsEnded: {
    name: 'seaweed_rdma_target_sessions_total',
    type: 'counter',
    help: 'Sessions: welcomed, refused (secret, version, overload, garbage), lost (without goodbye).',
    labels: ['event'],
  },
  reads: {
    name: 'seaweed_rdma_target_reads_total',
    type: 'counter',
    help: 'Reads by answered status.',
    labels: ['status'],
  },
  readSource: {
    name: 'seaweed_rdma_target_read_source_total',
    type: 'counter',
    help: 'Reads by where their bytes were: page_cache, or disk (an I/O thread).',
    labels: ['source'],
  },
  validations: {
    name: 'seaweed_rdma_target_validations_total',
    type: 'counter',
    help: 'VALIDATE messages answered.',
    labels: [],
  },
  volumeLeases: {
    name: 'seaweed_rdma_target_volume_leases',
    type: 'gauge',
    help: 'Volumes whose changes are pushed, counted for each session.',
    labels: [],
  },
  changesPushed: {
    name: 'seaweed_rdma_target_changes_pushed_total',
    type: 'counter',
    help: 'CHANGED messages sent.',
    labels: [],
  },
  requestsInFlight: {
    name: 'seaweed_rdma_target_requests_in_flight',
    type: 'gauge',
    help: 'Requests whose needles are being read or sent.',
    labels: [],
  },
  volumes: {
    name: 'seaweed_rdma_target_volumes',
    type: 'gauge',
    help: 'Volumes loaded, and of these confirmed.',
    labels: ['state'],
  },
  listedVolumes: {
    name: 'seaweed_rdma_target_listed_volumes',
    type: 'gauge',
    help: 'Volumes that the volume server lists: served here, missing in target.dirs, unserved, or tiered.',
    labels: ['state'],
  },
  needles: {
    name: 'seaweed_rdma_target_needles',
    type: 'gauge',
    help: 'Needles in the maps of the loaded volumes.',
    labels: [],
  },
  mapBytes: {
    name: 'seaweed_rdma_target_map_bytes',
    type: 'gauge',
    help: 'Memory of the needle maps.',
    labels: [],
  },
  corrupt: {
    name: 'seaweed_rdma_target_corrupt_total',
    type: 'counter',
    help: 'Reads that found a wrong checksum, size or field structure.',
    labels: [],
  },
  reloads: {
    name: 'seaweed_rdma_target_reloads_total',
    type: 'counter',
    help: 'Volume generations begun: loads, and reloads after a vacuum.',
    labels: [],
  },
  confirmations: {
    name: 'seaweed_rdma_target_confirmations_total',
    type: 'counter',
    help: 'Polls of the volume server.',
    labels: ['result'],
  },
  confirmationAge: {
    name: 'seaweed_rdma_target_confirmation_age_seconds',
    type: 'gauge',
    help: 'Time since the last successful poll began; absent before the first.',
    labels: [],
  },
  ...buildInfo,
};

type SharedMetricName =
  | ConfigurationMetricName
  | 'sessionsActive'
  | 'bytesTransferred'
  | 'leasesOutstanding'
  | 'leaseLeaks'
  | 'arenaBytes'
  | 'arenaRefusals'
  | 'buildInfo';

export type ProxyMetricName =
  | SharedMetricName
  | 'requests'
  | 'requestDuration'
  | 'responseBytes'
  | 'operations'
  | 'operationDuration'
  | 'connections'
  | 'requestsInFlight'
  | 'targetUp'
  | 'breakerOpen'
  | 'upstreamUp'
  | 'volumes'
  | TrafficMetricName
  | SidecarMetricName
  | CacheMetricName;

export type TargetMetricName =
  | SharedMetricName
  | 'sessionsPending'
  | 'connectionsWaiting'
  | 'connectionsEnded'
  | 'sessionsEnded'
  | 'reads'
  | 'readSource'
  | 'validations'
  | 'volumeLeases'
  | 'changesPushed'
  | 'requestsInFlight'
  | 'volumes'
  | 'listedVolumes'
  | 'needles'
  | 'mapBytes'
  | 'corrupt'
  | 'reloads'
  | 'confirmations'
  | 'confirmationAge';
