/** Snapshots of a running role for the admin listener: plain data, taken at each request. No secrets in them. */

import { cacheStats } from '../proxy/cache/cache-status.ts';
import {
  breakerState,
  hedgeCounts,
  unannouncedStatus,
  upstreamState,
} from '../proxy/fleet/fleet-status.ts';
import { frontCounters } from '../proxy/front/front-counters.ts';
import { poolStatus } from '../proxy/front/pool-status.ts';
import { lanesStatus } from '../proxy/lanes/lane-status.ts';
import { sidecarStatus } from '../proxy/sidecar/sidecar-status.ts';
import { connectionsStatus } from '../rdma/connections-status.ts';
import { railStatus } from '../rdma/rails/rail-status.ts';
import { targetCounts, targetState } from '../rdma/target-state.ts';
import {
  count,
  described,
  flag,
  list,
  mapOf,
  oneOf,
  orAbsent,
  record,
  text,
  type ValueOf,
} from '../schema/json-schema.ts';
import { confirmationStatus } from '../volume-server/confirmation-status.ts';
import { configurationStatus } from './configuration.ts';

const arenaStatus = record({
  pageKind: oneOf('hugetlb', 'transparent', 'normal'),
  bytesTotal: count,
  bytesLeased: count,
  leasesOutstanding: count,
  leaseLeaks: described(count, 'Leases that were forgotten and found by the finalizer.'),
  refusals: described(count, 'Slabs that could not be had.'),
});
export type ArenaStatus = ValueOf<typeof arenaStatus>;

const targetStatus = record({
  address: described(text, "host:port, or inproc; '' for a volume server without a target."),
  upstreamUrl: text,
  state: described(
    orAbsent(targetState),
    'Absent without a target beside this volume server, or with mode = "off".',
  ),
  breaker: breakerState,
  breakerOpens: count,
  hedged: described(orAbsent(hedgeCounts), 'Absent without a target, or with rdma.hedge = "off".'),
  counted: described(orAbsent(targetCounts), 'Absent without a target.'),
  rails: described(orAbsent(list(railStatus)), 'Absent where the proxy has one way to the target.'),
  volumes: count,
  volumesConfirmed: count,
  server: described(orAbsent(text), "Learned from the volume server's own answers."),
  auth: oneOf('open', 'required', 'unknown'),
  isUpstreamUp: described(flag, 'The last probe of the volume server was answered.'),
  upstream: described(upstreamState, "The volume server's state, with the error if there was one."),
});
export type TargetStatus = ValueOf<typeof targetStatus>;

/** Where UCX may open TCP ports, which ask no peer for a secret. */
const ucxTcpStatus = record({
  devices: described(text, 'The devices that UCX was given; "auto": all of the machine.'),
  exposed: described(list(text), 'Those beyond loopback with a TCP port.'),
  guardFault: described(
    orAbsent(text),
    'Why the ports take packets of every host; absent: of admitted ones alone.',
  ),
});
export type UcxTcpStatus = ValueOf<typeof ucxTcpStatus>;

const shmLoss = described(
  orAbsent(text),
  'Why UCX goes on without shared memory; absent: it has what it wants, or is not used.',
);
const configuration = described(
  orAbsent(configurationStatus),
  'Absent: the role was not started from a configuration.',
);

export const proxyStatus = record({
  mode: oneOf('prefer', 'require', 'off'),
  fabricFailure: described(
    orAbsent(text),
    'Why this machine has no fast path at all; absent: it has, or mode = "off".',
  ),
  shmLoss,
  ucxTcp: described(orAbsent(ucxTcpStatus), 'Absent: UCX is not used.'),
  fabricConnections: described(
    orAbsent(connectionsStatus),
    "To UCX's own ports; absent: UCX is not used.",
  ),
  isListening: flag,
  isDraining: flag,
  connections: count,
  connectionsMax: described(count, 'limits.connections.'),
  requestsInFlight: count,
  front: described(frontCounters, 'The HTTP listener since the start.'),
  upstreamPools: list(poolStatus),
  targets: list(targetStatus),
  fabric: described(
    record({ requestsInFlight: count, lateReplies: count }),
    'Messages to all targets; 0 with mode = "off".',
  ),
  logLinesSuppressed: count,
  unannounced: described(
    unannouncedStatus,
    'Volumes that are read although no target announces them.',
  ),
  cache: cacheStats,
  lanes: described(orAbsent(lanesStatus), 'Absent: the event loop answers every request.'),
  sidecar: described(orAbsent(sidecarStatus), 'Absent: sidecar.listen is empty.'),
  arena: described(orAbsent(arenaStatus), 'Absent with mode = "off".'),
  configuration,
});
export type ProxyStatus = ValueOf<typeof proxyStatus>;

const volumeIds = record({ count, first: described(list(count), 'The first of many.') });
export type VolumeIds = ValueOf<typeof volumeIds>;

/** How the target covers the volumes that its volume server lists. */
const coverageStatus = record({
  listed: described(count, "Without those of a remote tier, which are the volume server's own."),
  served: count,
  missing: described(volumeIds, "No index of them lies in the target's directories."),
  unserved: described(volumeIds, 'Their files are there, but not loaded or not confirmed.'),
  tiered: count,
  overdue: described(count, 'Missing or unserved for longer than a volume may take to be loaded.'),
  serverDirs: described(list(text), "The directories by their names on the volume server's host."),
  detail: described(text, 'For a person: how many, which, and where to look.'),
});
export type CoverageStatus = ValueOf<typeof coverageStatus>;

export const targetRoleStatus = record({
  shmLoss,
  isListening: flag,
  isDraining: flag,
  sessions: count,
  sessionsPending: described(count, 'Connected, not authenticated.'),
  sessionsTotal: count,
  sessionsRefused: count,
  sessionsLost: count,
  connections: connectionsStatus,
  ucxTcp: ucxTcpStatus,
  bytesSent: count,
  bytesReceived: count,
  reads: described(mapOf(count), 'Answered reads by status name.'),
  validations: count,
  volumeLeases: described(count, 'Volumes whose changes are pushed, counted for each session.'),
  changesPushed: count,
  requestsInFlight: count,
  volumesLoaded: count,
  descriptorShortage: described(
    orAbsent(text),
    'Why volumes are left to the volume server for want of descriptors; absent: none is.',
  ),
  volumesConfirmed: count,
  needles: count,
  mapBytes: count,
  readsWaiting: count,
  readsCached: count,
  readsDisk: count,
  corrupt: count,
  reloads: count,
  arena: arenaStatus,
  confirmation: described(orAbsent(confirmationStatus), 'Absent with unconfirmed = true.'),
  coverage: described(
    orAbsent(coverageStatus),
    'Absent: no poll of the volume server has succeeded yet, or unconfirmed = true.',
  ),
  configuration,
});
export type TargetRoleStatus = ValueOf<typeof targetRoleStatus>;
