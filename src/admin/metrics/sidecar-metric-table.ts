/** The metrics of the sidecar's listener: part of metric-table.ts. Its requests are in none of the others' counters. */
import type { MetricRow } from './metric-row.ts';

/** From a needle in the cache to a mount's own deadline. */
const durationBuckets: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export type SidecarMetricName =
  | 'sidecarRequests'
  | 'sidecarDuration'
  | 'sidecarBytes'
  | 'sidecarConnections'
  | 'sidecarConnectionsRefused'
  | 'sidecarConnectionsEvicted'
  | 'sidecarRequestsInFlight'
  | 'sidecarBytesInFlight'
  | 'sidecarTempFiles'
  | 'sidecarTempBytes'
  | 'sidecarTempEvents';

export const sidecarMetricTable: Readonly<Record<SidecarMetricName, MetricRow>> = {
  sidecarRequests: {
    name: 'seaweed_rdma_sidecar_requests_total',
    type: 'counter',
    help: 'Finished requests to the sidecar, by outcome and reason. Exact.',
    labels: ['path', 'outcome', 'reason'],
  },
  sidecarDuration: {
    name: 'seaweed_rdma_sidecar_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the parsed request to the last byte of its answer.',
    labels: ['path'],
    buckets: durationBuckets,
  },
  sidecarBytes: {
    name: 'seaweed_rdma_sidecar_needle_bytes_total',
    type: 'counter',
    help: "Needle bytes in the sidecar's answers, by source.",
    labels: ['source'],
  },
  sidecarConnections: {
    name: 'seaweed_rdma_sidecar_connections',
    type: 'gauge',
    help: 'Connections to the sidecar that are open.',
    labels: [],
  },
  sidecarConnectionsRefused: {
    name: 'seaweed_rdma_sidecar_connections_refused_total',
    type: 'counter',
    help: 'Connections to the sidecar that were closed at once at its limit, because no other one was quiet.',
    labels: [],
  },
  sidecarConnectionsEvicted: {
    name: 'seaweed_rdma_sidecar_connections_evicted_total',
    type: 'counter',
    help: 'Quiet connections to the sidecar that were closed to make place for newcomers at its limits.',
    labels: [],
  },
  sidecarRequestsInFlight: {
    name: 'seaweed_rdma_sidecar_requests_in_flight',
    type: 'gauge',
    help: 'Requests to the sidecar that are being answered.',
    labels: [],
  },
  sidecarBytesInFlight: {
    name: 'seaweed_rdma_sidecar_in_flight_bytes',
    type: 'gauge',
    help: "Bytes of the sidecar's answers that are being made and sent.",
    labels: [],
  },
  sidecarTempFiles: {
    name: 'seaweed_rdma_sidecar_temp_files',
    type: 'gauge',
    help: 'Temp files of the sidecar that exist.',
    labels: [],
  },
  sidecarTempBytes: {
    name: 'seaweed_rdma_sidecar_temp_bytes',
    type: 'gauge',
    help: 'Bytes in temp files of the sidecar.',
    labels: [],
  },
  sidecarTempEvents: {
    name: 'seaweed_rdma_sidecar_temp_file_events_total',
    type: 'counter',
    help: 'Temp files made, removed for clients, removed by the reaper; and answers that went without one.',
    labels: ['event'],
  },
};
