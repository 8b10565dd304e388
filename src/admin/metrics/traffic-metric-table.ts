/** The metrics of client connections, volume servers' connections, targets and the log: part of metric-table.ts. */
import type { MetricRow } from './metric-row.ts';

export type TrafficMetricName =
  | 'clientConnections'
  | 'requestsEntered'
  | 'rawPipes'
  | 'rawPipesOpen'
  | 'bytesInFlight'
  | 'bytesCopied'
  | 'upstreamConnections'
  | 'upstreamWaiting'
  | 'upstreamRequests'
  | 'upstreamRetries'
  | 'breakerOpens'
  | 'breakerState'
  | 'targetSessions'
  | 'targetFetches'
  | 'targetFetchedBytes'
  | 'targetPing'
  | 'fabricRequestsInFlight'
  | 'lateReplies'
  | 'logLinesSuppressed';

export const trafficMetricTable: Readonly<Record<TrafficMetricName, MetricRow>> = {
  clientConnections: {
    name: 'seaweed_rdma_client_connections_total',
    type: 'counter',
    help: 'Client connections: accepted, refused (limits.connections), evicted (without a request under way, for a newcomer), failed (not accepted by the kernel), head_timeout (closed with 400), body_timeout (closed: limits.body_bytes_min).',
    labels: ['event'],
  },
  requestsEntered: {
    name: 'seaweed_rdma_requests_entered_total',
    type: 'counter',
    help: 'Requests begun, by their way: lane, framework, or raw (a connection piped unread).',
    labels: ['way'],
  },
  rawPipes: {
    name: 'seaweed_rdma_raw_pipes_total',
    type: 'counter',
    help: 'Connections that were piped raw, at their first byte or after a request whose answer could not be read.',
    labels: [],
  },
  rawPipesOpen: {
    name: 'seaweed_rdma_raw_pipes',
    type: 'gauge',
    help: 'Connections that are being piped raw.',
    labels: [],
  },
  bytesInFlight: {
    name: 'seaweed_rdma_in_flight_bytes',
    type: 'gauge',
    help: 'Needle bytes that answers hold in leases until their clients have taken them.',
    labels: [],
  },
  bytesCopied: {
    name: 'seaweed_rdma_copied_bytes',
    type: 'gauge',
    help: 'Bytes copied out of the arena for slow clients and not sent yet.',
    labels: [],
  },
  upstreamConnections: {
    name: 'seaweed_rdma_upstream_connections',
    type: 'gauge',
    help: "The relay's connections to a volume server: busy, idle.",
    labels: ['upstream', 'state'],
  },
  upstreamWaiting: {
    name: 'seaweed_rdma_upstream_requests_waiting',
    type: 'gauge',
    help: 'Requests that wait for a connection to the volume server.',
    labels: ['upstream'],
  },
  upstreamRequests: {
    name: 'seaweed_rdma_upstream_requests_total',
    type: 'counter',
    help: 'Requests that the relay sent, by whether the connection was new or reused.',
    labels: ['upstream', 'connection'],
  },
  upstreamRetries: {
    name: 'seaweed_rdma_upstream_retries_total',
    type: 'counter',
    help: 'Requests that the relay sent again because the reused connection of the first try broke.',
    labels: [],
  },
  breakerOpens: {
    name: 'seaweed_rdma_breaker_opens_total',
    type: 'counter',
    help: 'How often the breaker opened: failures in a row, or a probe that failed.',
    labels: ['target'],
  },
  breakerState: {
    name: 'seaweed_rdma_breaker_state',
    type: 'gauge',
    help: "1 for the breaker's state: closed, open, half-open; 0 for the others.",
    labels: ['target', 'state'],
  },
  targetSessions: {
    name: 'seaweed_rdma_sessions_total',
    type: 'counter',
    help: 'Sessions with the target: established, lost (was up), failed (an attempt that did not succeed).',
    labels: ['target', 'event'],
  },
  targetFetches: {
    name: 'seaweed_rdma_fetches_total',
    type: 'counter',
    help: 'Reads that the proxy asked the target for, by the final status of the protocol.',
    labels: ['target', 'status'],
  },
  targetFetchedBytes: {
    name: 'seaweed_rdma_fetched_bytes_total',
    type: 'counter',
    help: 'Needle bytes received from the target.',
    labels: ['target'],
  },
  targetPing: {
    name: 'seaweed_rdma_target_ping_seconds',
    type: 'gauge',
    help: 'Round trip of the last PING, sent when the session is established and every 30 s; absent while the target is down.',
    labels: ['target'],
  },
  fabricRequestsInFlight: {
    name: 'seaweed_rdma_fabric_requests_in_flight',
    type: 'gauge',
    help: 'Messages to targets that wait for an answer.',
    labels: [],
  },
  lateReplies: {
    name: 'seaweed_rdma_late_replies_total',
    type: 'counter',
    help: 'Answers of targets that came after their requests had ended.',
    labels: [],
  },
  logLinesSuppressed: {
    name: 'seaweed_rdma_log_lines_suppressed_total',
    type: 'counter',
    help: 'Log lines about trouble that the rate limit held back.',
    labels: [],
  },
};
