/** The metrics of a proxy's HTTP side: requests, client connections, volume servers' connections, the log. */
import { type Outcome, outcomes, type RequestRecord } from '../../needle/request-record.ts';
import type { ProxyStatus } from '../status.ts';
import type { HistogramRow, ReadRow } from './metric-row.ts';

/** Finished requests with one outcome, reason and transport. */
export interface RequestSeries extends Pick<RequestRecord, 'outcome' | 'reason' | 'transport'> {
  readonly count: number;
}

/** The exact accounting of finished requests. */
export interface RequestCounts {
  readonly series: readonly RequestSeries[];
  readonly bodyBytes: Readonly<Record<Outcome, number>>;
}

export const requestRows: readonly ReadRow<RequestCounts>[] = [
  {
    name: 'seaweed_rdma_requests_total',
    type: 'counter',
    help: 'Finished requests, and connections piped raw, by outcome, reason and transport. Exact.',
    labels: ['outcome', 'reason', 'transport'],
    read: ({ series }) =>
      series.map(({ outcome, reason, transport, count }) => [count, outcome, reason, transport]),
  },
  {
    name: 'seaweed_rdma_response_bytes_total',
    type: 'counter',
    help: 'Body bytes sent to clients.',
    labels: ['outcome'],
    read: ({ bodyBytes }) => Object.entries(bodyBytes).map(([outcome, bytes]) => [bytes, outcome]),
  },
];

/** The bounds go from a needle out of shared memory to a client's own deadline. */
export const requestDuration: HistogramRow<Outcome> = {
  name: 'seaweed_rdma_request_duration_seconds',
  type: 'histogram',
  help: 'Time from the parsed request to the last byte of its answer.',
  labels: ['outcome'],
  labelValues: outcomes,
  buckets: [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
    2.5, 5, 10, 30,
  ],
};

export const trafficRows: readonly ReadRow<ProxyStatus>[] = [
  {
    name: 'seaweed_rdma_connections',
    type: 'gauge',
    help: 'Client connections that are open.',
    labels: [],
    read: ({ connections }) => connections,
  },
  {
    name: 'seaweed_rdma_requests_in_flight',
    type: 'gauge',
    help: 'Requests that are being answered.',
    labels: [],
    read: ({ requestsInFlight }) => requestsInFlight,
  },
  {
    name: 'seaweed_rdma_client_connections_total',
    type: 'counter',
    help: 'Client connections: accepted, refused (limits.connections), evicted (without a request under way, for a newcomer), failed (not accepted by the kernel), head_timeout (closed with 400), body_timeout (closed: limits.body_bytes_min).',
    labels: ['event'],
    read: ({ front }) => [
      [front.connectionsAccepted, 'accepted'],
      [front.connectionsRefused, 'refused'],
      [front.connectionsEvicted, 'evicted'],
      [front.acceptFailures, 'failed'],
      [front.headTimeouts, 'head_timeout'],
      [front.bodyTimeouts, 'body_timeout'],
    ],
  },
  {
    name: 'seaweed_rdma_requests_entered_total',
    type: 'counter',
    help: 'Requests begun, by their way: lane, framework, or raw (a connection piped unread).',
    labels: ['way'],
    read: ({ front }) => [
      [front.requestsByLane, 'lane'],
      [front.requestsByFramework, 'framework'],
      [front.connectionsUnread, 'raw'],
    ],
  },
  {
    name: 'seaweed_rdma_raw_pipes_total',
    type: 'counter',
    help: 'Connections that were piped raw, at their first byte or after a request whose answer could not be read.',
    labels: [],
    read: ({ front }) => front.rawPipes,
  },
  {
    name: 'seaweed_rdma_raw_pipes',
    type: 'gauge',
    help: 'Connections that are being piped raw.',
    labels: [],
    read: ({ front }) => front.rawPipesOpen,
  },
  {
    name: 'seaweed_rdma_in_flight_bytes',
    type: 'gauge',
    help: 'Needle bytes that answers hold in leases until their clients have taken them.',
    labels: [],
    read: ({ front }) => front.bytesInFlight,
  },
  {
    name: 'seaweed_rdma_copied_bytes',
    type: 'gauge',
    help: 'Bytes copied out of the arena for slow clients and not sent yet.',
    labels: [],
    read: ({ front }) => front.bytesCopied,
  },
  {
    name: 'seaweed_rdma_upstream_up',
    type: 'gauge',
    help: '1 while the volume server answers the probe.',
    labels: ['upstream'],
    read: ({ targets }) =>
      targets.map(({ upstreamUrl, isUpstreamUp }) => [isUpstreamUp ? 1 : 0, upstreamUrl]),
  },
  {
    name: 'seaweed_rdma_upstream_connections',
    type: 'gauge',
    help: "The relay's connections to a volume server: busy, idle.",
    labels: ['upstream', 'state'],
    read: ({ upstreamPools }) =>
      upstreamPools.flatMap(({ upstream, connections, idle }) => [
        [connections - idle, upstream, 'busy'],
        [idle, upstream, 'idle'],
      ]),
  },
  {
    name: 'seaweed_rdma_upstream_requests_waiting',
    type: 'gauge',
    help: 'Requests that wait for a connection to the volume server.',
    labels: ['upstream'],
    read: ({ upstreamPools }) => upstreamPools.map(({ upstream, waiting }) => [waiting, upstream]),
  },
  {
    name: 'seaweed_rdma_upstream_requests_total',
    type: 'counter',
    help: 'Requests that the relay sent, by whether the connection was new or reused.',
    labels: ['upstream', 'connection'],
    read: ({ upstreamPools }) =>
      upstreamPools.flatMap(({ upstream, sentOnNew, sentOnReused }) => [
        [sentOnNew, upstream, 'new'],
        [sentOnReused, upstream, 'reused'],
      ]),
  },
  {
    name: 'seaweed_rdma_upstream_retries_total',
    type: 'counter',
    help: 'Requests that the relay sent again because the reused connection of the first try broke.',
    labels: [],
    read: ({ front }) => front.retries,
  },
  {
    name: 'seaweed_rdma_log_lines_suppressed_total',
    type: 'counter',
    help: 'Log lines about trouble that the rate limit held back.',
    labels: [],
    read: ({ logLinesSuppressed }) => logLinesSuppressed,
  },
];
