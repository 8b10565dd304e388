/** The metrics of the target role: all of them are counted natively. */
import type { TargetRoleStatus } from '../status.ts';
import type { ReadRow } from './metric-row.ts';
import { bytesTransferred, sessionsActive } from './process.ts';

export const targetRows: readonly ReadRow<TargetRoleStatus>[] = [
  { ...sessionsActive, read: ({ sessions }) => sessions },
  {
    ...bytesTransferred,
    read: ({ bytesSent, bytesReceived }) => [
      [bytesSent, 'tx'],
      [bytesReceived, 'rx'],
    ],
  },
  {
    name: 'seaweed_rdma_target_sessions_pending',
    type: 'gauge',
    help: 'Connections that have not yet proved that they may read.',
    labels: [],
    read: ({ sessionsPending }) => sessionsPending,
  },
  {
    name: 'seaweed_rdma_target_connections_waiting',
    type: 'gauge',
    help: 'TCP connections to UCX ports whose peer has not said who it is.',
    labels: [],
    read: ({ connections }) => connections.waiting,
  },
  {
    name: 'seaweed_rdma_target_connections_ended_total',
    type: 'counter',
    help: 'TCP connections to UCX ports that were closed after rdma.handshake_timeout or over rdma.max_pending_per_address.',
    labels: [],
    read: ({ connections }) => connections.ended,
  },
  {
    name: 'seaweed_rdma_target_sessions_total',
    type: 'counter',
    help: 'Sessions: welcomed, refused (secret, version, overload, garbage), lost (without goodbye).',
    labels: ['event'],
    read: ({ sessionsTotal, sessionsRefused, sessionsLost }) => [
      [sessionsTotal, 'welcomed'],
      [sessionsRefused, 'refused'],
      [sessionsLost, 'lost'],
    ],
  },
  {
    name: 'seaweed_rdma_target_reads_total',
    type: 'counter',
    help: 'Reads by answered status.',
    labels: ['status'],
    read: ({ reads }) => Object.entries(reads).map(([name, count]) => [count, name]),
  },
  {
    name: 'seaweed_rdma_target_read_source_total',
    type: 'counter',
    help: 'Reads by where their bytes were: page_cache, or disk (an I/O thread; so are large ones in the page cache).',
    labels: ['source'],
    read: ({ readsCached, readsDisk }) => [
      [readsCached, 'page_cache'],
      [readsDisk, 'disk'],
    ],
  },
  {
    name: 'seaweed_rdma_target_validations_total',
    type: 'counter',
    help: 'VALIDATE messages answered.',
    labels: [],
    read: ({ validations }) => validations,
  },
  {
    name: 'seaweed_rdma_target_volume_leases',
    type: 'gauge',
    help: 'Volumes whose changes are pushed, counted for each session.',
    labels: [],
    read: ({ volumeLeases }) => volumeLeases,
  },
  {
    name: 'seaweed_rdma_target_changes_pushed_total',
    type: 'counter',
    help: 'CHANGED messages sent.',
    labels: [],
    read: ({ changesPushed }) => changesPushed,
  },
  {
    name: 'seaweed_rdma_target_requests_in_flight',
    type: 'gauge',
    help: 'Requests whose needles are being read or sent.',
    labels: [],
    read: ({ requestsInFlight }) => requestsInFlight,
  },
  {
    name: 'seaweed_rdma_target_reads_waiting',
    type: 'gauge',
    help: 'Reads that wait for memory of the arena, rdma.buffer_wait at most.',
    labels: [],
    read: ({ readsWaiting }) => readsWaiting,
  },
  {
    name: 'seaweed_rdma_target_volumes',
    type: 'gauge',
    help: 'Volumes loaded, and of these confirmed.',
    labels: ['state'],
    read: ({ volumesLoaded, volumesConfirmed }) => [
      [volumesLoaded, 'loaded'],
      [volumesConfirmed, 'confirmed'],
    ],
  },
  {
    name: 'seaweed_rdma_target_listed_volumes',
    type: 'gauge',
    help: 'Volumes that the volume server lists: served here, missing in target.dirs, unserved, or tiered.',
    labels: ['state'],
    read: ({ coverage }) =>
      coverage && [
        [coverage.served, 'served'],
        [coverage.missing.count, 'missing'],
        [coverage.unserved.count, 'unserved'],
        [coverage.tiered, 'tiered'],
      ],
  },
  {
    name: 'seaweed_rdma_target_needles',
    type: 'gauge',
    help: 'Needles in the maps of the loaded volumes.',
    labels: [],
    read: ({ needles }) => needles,
  },
  {
    name: 'seaweed_rdma_target_map_bytes',
    type: 'gauge',
    help: 'Memory of the needle maps.',
    labels: [],
    read: ({ mapBytes }) => mapBytes,
  },
  {
    name: 'seaweed_rdma_target_corrupt_total',
    type: 'counter',
    help: 'Reads that found a wrong checksum, size or field structure.',
    labels: [],
    read: ({ corrupt }) => corrupt,
  },
  {
    name: 'seaweed_rdma_target_reloads_total',
    type: 'counter',
    help: 'Volume generations begun: loads, and reloads after a vacuum.',
    labels: [],
    read: ({ reloads }) => reloads,
  },
  {
    name: 'seaweed_rdma_target_confirmations_total',
    type: 'counter',
    help: 'Polls of the volume server.',
    labels: ['result'],
    read: ({ confirmation }) =>
      confirmation && [
        [confirmation.successes, 'success'],
        [confirmation.failures, 'error'],
      ],
  },
  {
    name: 'seaweed_rdma_target_confirmation_age_seconds',
    type: 'gauge',
    help: 'Time since the last successful poll began; absent before the first.',
    labels: [],
    read: ({ confirmation }) =>
      confirmation?.ageMs === undefined ? undefined : confirmation.ageMs / 1000,
  },
];
