/** The metrics of a proxy's side of the fabric: its targets, their sessions, and the reads that it asks them for. */
import { type HedgeCounts, hedgeWinners } from '../../proxy/fleet/fleet-status.ts';
import { type RailStatus, railStates } from '../../rdma/rails/rail-status.ts';
import type { TargetCounts } from '../../rdma/target-state.ts';
import type { ProxyStatus, TargetStatus } from '../status.ts';
import type { HistogramRow, ReadRow, Series } from './metric-row.ts';
import { bytesTransferred, sessionsActive } from './process.ts';

/** Reads of all targets that have ended. */
export interface OperationCounts {
  readonly successes: number;
  readonly errors: number;
  readonly bytesReceived: number;
}

export const operationRows: readonly ReadRow<OperationCounts>[] = [
  {
    name: 'rdma_operations_total',
    type: 'counter',
    help: 'Reads that the proxy asked targets for. An answer that names a state of the needle or volume is a success.',
    labels: ['type', 'result'],
    read: ({ successes, errors }) => [
      [successes, 'read', 'success'],
      [errors, 'read', 'error'],
    ],
  },
  {
    ...bytesTransferred,
    // A proxy sends no payload; the series exists all the same.
    read: ({ bytesReceived }) => [
      [bytesReceived, 'rx'],
      [0, 'tx'],
    ],
  },
];

/** The bounds go from a shared-memory round trip to rdma.timeout. */
export const operationDuration: HistogramRow<'read'> = {
  name: 'rdma_operation_duration_seconds',
  type: 'histogram',
  help: 'Time from posting a read to its completion.',
  labels: ['type'],
  labelValues: ['read'],
  buckets: [
    0.000005, 0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05,
    0.1, 0.5, 1, 2, 5,
  ],
};

type Counted = TargetStatus & { readonly counted: TargetCounts };
type Connected = TargetStatus & { readonly state: NonNullable<TargetStatus['state']> };

/** Without the volume servers that have no target. */
function countedOf({ targets }: ProxyStatus): readonly Counted[] {
  return targets.filter((target): target is Counted => target.counted !== undefined);
}

function connectedOf({ targets }: ProxyStatus): readonly Connected[] {
  return targets.filter((target): target is Connected => target.state !== undefined);
}

type Hedged = TargetStatus & { readonly hedged: HedgeCounts };

function hedgedOf({ targets }: ProxyStatus): readonly Hedged[] {
  return targets.filter((target): target is Hedged => target.hedged !== undefined);
}

type RailRow = readonly [target: string, rail: RailStatus];

/** The rails of all targets; none where the proxy has one way to each. */
function railsOf({ targets }: ProxyStatus): readonly RailRow[] {
  return targets.flatMap(({ address, rails = [] }) =>
    rails.map((rail): RailRow => [address, rail]),
  );
}

/** Gauges and counters of rails; absent where the proxy has one way to each target. */
const railRows: readonly ReadRow<ProxyStatus>[] = [
  {
    name: 'seaweed_rdma_rail_state',
    type: 'gauge',
    help: "1 for the rail's state: admitted, trial, ejected, down; 0 for the others.",
    labels: ['target', 'rail', 'state'],
    read: (status) =>
      railsOf(status).flatMap(([target, rail]) =>
        railStates.map((state): Series => [rail.state === state ? 1 : 0, target, rail.name, state]),
      ),
  },
  {
    name: 'seaweed_rdma_rail_outstanding_bytes',
    type: 'gauge',
    help: 'Bytes that reads under way on the rail are expected to bring.',
    labels: ['target', 'rail'],
    read: (status) =>
      railsOf(status).map(([target, rail]) => [rail.outstandingBytes, target, rail.name]),
  },
  {
    name: 'seaweed_rdma_rail_bytes_total',
    type: 'counter',
    help: 'Needle bytes that came by the rail.',
    labels: ['target', 'rail'],
    read: (status) =>
      railsOf(status).map(([target, rail]) => [rail.bytesFetched, target, rail.name]),
  },
  {
    name: 'seaweed_rdma_rail_sessions_total',
    type: 'counter',
    help: 'Sessions over the rail: established, or lost after they were up.',
    labels: ['target', 'rail', 'event'],
    read: (status) =>
      railsOf(status).flatMap(([target, rail]): Series[] => [
        [rail.established, target, rail.name, 'established'],
        [rail.lost, target, rail.name, 'lost'],
      ]),
  },
  {
    name: 'seaweed_rdma_rail_ejections_total',
    type: 'counter',
    help: 'How often the rail was left: it was silent, slow, or lost its session.',
    labels: ['target', 'rail'],
    read: (status) => railsOf(status).map(([target, rail]) => [rail.ejections, target, rail.name]),
  },
  {
    name: 'seaweed_rdma_rail_requests_moved_total',
    type: 'counter',
    help: 'Requests that left the rail for another: again (it was ejected, or failed), or doubled (it was slow).',
    labels: ['target', 'rail', 'way'],
    read: (status) =>
      railsOf(status).flatMap(([target, rail]): Series[] => [
        [rail.sentAgain, target, rail.name, 'again'],
        [rail.doubled, target, rail.name, 'doubled'],
      ]),
  },
];

const breakerStates = ['closed', 'open', 'half-open'] as const;

export const fabricRows: readonly ReadRow<ProxyStatus>[] = [
  ...railRows,
  {
    ...sessionsActive,
    read: ({ targets }) => targets.filter(({ state }) => state?.kind === 'up').length,
  },
  {
    name: 'seaweed_rdma_target_up',
    type: 'gauge',
    help: '1 while the session with the target is up.',
    labels: ['target', 'transport'],
    read: (status) =>
      connectedOf(status).map(({ address, state }) =>
        state.kind === 'up' ? [1, address, state.transport] : [0, address, 'none'],
      ),
  },
  {
    name: 'seaweed_rdma_breaker_open',
    type: 'gauge',
    help: '1 while the breaker keeps reads away from the target.',
    labels: ['target'],
    read: (status) =>
      connectedOf(status).map(({ address, breaker }) => [breaker === 'closed' ? 0 : 1, address]),
  },
  {
    name: 'seaweed_rdma_volumes',
    type: 'gauge',
    help: 'Volumes that a target announces: confirmed by their server lately, or unconfirmed.',
    labels: ['target', 'state'],
    read: (status) =>
      connectedOf(status).flatMap(({ address, volumes, volumesConfirmed }) => [
        [volumesConfirmed, address, 'confirmed'],
        [volumes - volumesConfirmed, address, 'unconfirmed'],
      ]),
  },
  {
    name: 'seaweed_rdma_breaker_opens_total',
    type: 'counter',
    help: 'How often the breaker opened: failures in a row, or a probe that failed.',
    labels: ['target'],
    read: (status) => countedOf(status).map(({ address, breakerOpens }) => [breakerOpens, address]),
  },
  {
    name: 'seaweed_rdma_late_reads_total',
    type: 'counter',
    help: 'Reads that waited long for the target, with rdma.hedge: hedged, hedged as the breaker opened, refused by the budget.',
    labels: ['target', 'hedge'],
    read: (status) =>
      hedgedOf(status).flatMap(({ address, hedged }) => [
        [hedged.late, address, 'budget'],
        [hedged.silent, address, 'breaker'],
        [hedged.refused, address, 'refused'],
      ]),
  },
  {
    name: 'seaweed_rdma_hedged_reads_total',
    type: 'counter',
    help: 'Hedged reads that have ended, by the server whose answer came first.',
    labels: ['target', 'winner'],
    read: (status) =>
      hedgedOf(status).flatMap(({ address, hedged }) =>
        hedgeWinners.map((winner): Series => [hedged.winners[winner], address, winner]),
      ),
  },
  {
    name: 'seaweed_rdma_hedge_after_seconds',
    type: 'gauge',
    help: 'A read that waits for the target for longer is late; absent with rdma.hedge = "off".',
    labels: ['target'],
    read: (status) =>
      hedgedOf(status).map(({ address, hedged }) => [hedged.afterMs / 1_000, address]),
  },
  {
    name: 'seaweed_rdma_breaker_state',
    type: 'gauge',
    help: "1 for the breaker's state: closed, open, half-open; 0 for the others.",
    labels: ['target', 'state'],
    read: (status) =>
      countedOf(status).flatMap(({ address, breaker }) =>
        breakerStates.map((state): Series => [breaker === state ? 1 : 0, address, state]),
      ),
  },
  {
    name: 'seaweed_rdma_sessions_total',
    type: 'counter',
    help: 'Sessions with the target: established, lost (was up), failed (an attempt that did not succeed).',
    labels: ['target', 'event'],
    read: (status) =>
      countedOf(status).flatMap(({ address, counted }) => [
        [counted.established, address, 'established'],
        [counted.lost, address, 'lost'],
        [counted.failed, address, 'failed'],
      ]),
  },
  {
    name: 'seaweed_rdma_fetches_total',
    type: 'counter',
    help: 'Reads that the proxy asked the target for, by the final status of the protocol.',
    labels: ['target', 'status'],
    read: (status) =>
      countedOf(status).flatMap(({ address, counted }) =>
        Object.entries(counted.fetches).map(([name, count]): Series => [count, address, name]),
      ),
  },
  {
    name: 'seaweed_rdma_fetched_bytes_total',
    type: 'counter',
    help: 'Needle bytes received from the target.',
    labels: ['target'],
    read: (status) =>
      countedOf(status).map(({ address, counted }) => [counted.bytesFetched, address]),
  },
  {
    name: 'seaweed_rdma_target_ping_seconds',
    type: 'gauge',
    help: 'Round trip of the last PING, sent when the session is established and every 30 s; absent while the target is down.',
    labels: ['target'],
    read: (status) =>
      countedOf(status).flatMap(({ address, state, counted: { pingUs } }) =>
        state?.kind !== 'up' || pingUs === undefined ? [] : [[pingUs / 1e6, address]],
      ),
  },
  {
    name: 'seaweed_rdma_fabric_requests_in_flight',
    type: 'gauge',
    help: 'Messages to targets that wait for an answer.',
    labels: [],
    read: ({ fabric }) => fabric.requestsInFlight,
  },
  {
    name: 'seaweed_rdma_late_replies_total',
    type: 'counter',
    help: 'Answers of targets that came after their requests had ended.',
    labels: [],
    read: ({ fabric }) => fabric.lateReplies,
  },
];
