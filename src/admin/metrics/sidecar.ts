/** The metrics of the sidecar's listener. Its requests are in none of the others' counters. */
import { type SidecarPath, sidecarPaths } from '../../proxy/sidecar/sidecar-outcome.ts';
import type { SidecarStatus } from '../../proxy/sidecar/sidecar-status.ts';
import type { HistogramRow, ReadRow } from './metric-row.ts';

/** undefined: there is no such listener. */
interface WithSidecar {
  readonly sidecar?: SidecarStatus | undefined;
}

export const sidecarRows: readonly ReadRow<WithSidecar>[] = [
  {
    name: 'seaweed_rdma_sidecar_requests_total',
    type: 'counter',
    help: 'Finished requests to the sidecar, by outcome and reason. Exact.',
    labels: ['path', 'outcome', 'reason'],
    read: ({ sidecar }) =>
      sidecar?.requests.map(({ path, outcome, reason, count }) => [count, path, outcome, reason]),
  },
  {
    name: 'seaweed_rdma_sidecar_needle_bytes_total',
    type: 'counter',
    help: "Needle bytes in the sidecar's answers, by source.",
    labels: ['source'],
    read: ({ sidecar }) => [
      [sidecar?.needleBytes.cache ?? 0, 'cache'],
      [sidecar?.needleBytes.rdma ?? 0, 'rdma'],
      [sidecar?.needleBytes.http ?? 0, 'http'],
    ],
  },
  {
    name: 'seaweed_rdma_sidecar_connections',
    type: 'gauge',
    help: 'Connections to the sidecar that are open.',
    labels: [],
    read: ({ sidecar }) => sidecar?.connections ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_connections_refused_total',
    type: 'counter',
    help: 'Connections to the sidecar that were closed at once at its limit, because no other one was quiet.',
    labels: [],
    read: ({ sidecar }) => sidecar?.connectionsRefused ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_connections_evicted_total',
    type: 'counter',
    help: 'Quiet connections to the sidecar that were closed to make place for newcomers at its limits.',
    labels: [],
    read: ({ sidecar }) => sidecar?.connectionsEvicted ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_requests_in_flight',
    type: 'gauge',
    help: 'Requests to the sidecar that are being answered.',
    labels: [],
    read: ({ sidecar }) => sidecar?.requestsInFlight ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_in_flight_bytes',
    type: 'gauge',
    help: "Bytes of the sidecar's answers that are being made and sent.",
    labels: [],
    read: ({ sidecar }) => sidecar?.bytesInFlight ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_temp_files',
    type: 'gauge',
    help: 'Temp files of the sidecar that exist.',
    labels: [],
    read: ({ sidecar }) => sidecar?.temp?.files ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_temp_bytes',
    type: 'gauge',
    help: 'Bytes in temp files of the sidecar.',
    labels: [],
    read: ({ sidecar }) => sidecar?.temp?.bytes ?? 0,
  },
  {
    name: 'seaweed_rdma_sidecar_temp_file_events_total',
    type: 'counter',
    help: 'Temp files made, removed for clients, removed by the reaper; and answers that went without one.',
    labels: ['event'],
    read: ({ sidecar }) => [
      [sidecar?.temp?.created ?? 0, 'created'],
      [sidecar?.temp?.cleaned ?? 0, 'cleaned'],
      [sidecar?.temp?.reaped ?? 0, 'reaped'],
      [sidecar?.temp?.refused ?? 0, 'refused'],
    ],
  },
];

/** The bounds go from a needle in the cache to a mount's own deadline. */
export const sidecarDuration: HistogramRow<SidecarPath> = {
  name: 'seaweed_rdma_sidecar_request_duration_seconds',
  type: 'histogram',
  help: 'Time from the parsed request to the last byte of its answer.',
  labels: ['path'],
  labelValues: sidecarPaths,
  buckets: [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ],
};
