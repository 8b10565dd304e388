/** Snapshots of a running role for the admin listener: plain data, taken at each request. No secrets in them. */

import type { CacheStats } from '../proxy/cache/cache-counters.ts';
import type { BreakerState } from '../proxy/fleet/breaker.ts';
import type { UpstreamState } from '../proxy/fleet/learned-facts.ts';
import type { UnannouncedStatus } from '../proxy/fleet/unannounced-volumes.ts';
import type { PoolStatus } from '../proxy/passthrough/upstream-pool.ts';
import type { SidecarStatus } from '../proxy/sidecar/sidecar-status.ts';
import type { ConnectionsStatus } from '../rdma/connection-watch.ts';
import type { TargetState } from '../rdma/needle-fetcher.ts';
import type { ConfirmationStatus } from '../volume-server/confirmation.ts';
import type { ConfigurationStatus } from './configuration.ts';

export interface ArenaStatus {
  readonly pageKind: 'hugetlb' | 'transparent' | 'normal';
  readonly bytesTotal: number;
  readonly bytesLeased: number;
  readonly leasesOutstanding: number;
  /** Leases that were forgotten and found by the finalizer. */
  readonly leaseLeaks: number;
  /** Slabs that could not be had. */
  readonly refusals: number;
}

/** Counts of one target since the start. */
export interface TargetCounts {
  readonly established: number;
  /** Sessions that were up. */
  readonly lost: number;
  /** Attempts that ended before there was a session. */
  readonly failed: number;
  /** Reads by the status that they ended with; only what happened. */
  readonly fetches: Readonly<Record<string, number>>;
  readonly bytesFetched: number;
  /** Round trip of the last PING; undefined: none was answered yet. */
  readonly pingUs: number | undefined;
}

export interface TargetStatus {
  /** host:port, or inproc; '' for a volume server without a target. */
  readonly address: string;
  readonly upstreamUrl: string;
  /** undefined: no target beside this volume server, or mode = "off". */
  readonly state: TargetState | undefined;
  readonly breaker: BreakerState;
  readonly breakerOpens: number;
  /** undefined: no target. */
  readonly counted: TargetCounts | undefined;
  readonly volumes: number;
  readonly volumesConfirmed: number;
  /** Learned from the volume server's own answers. */
  readonly server: string | undefined;
  readonly auth: 'open' | 'required' | 'unknown';
  /** The last probe of the volume server was answered. */
  readonly isUpstreamUp: boolean;
  /** The volume server's state, with the error if there was one. */
  readonly upstream: UpstreamState;
}

/** The HTTP listener since the start. */
export interface FrontStatus {
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly connectionsEvicted: number;
  readonly acceptFailures: number;
  readonly headTimeouts: number;
  readonly bodyTimeouts: number;
  readonly requestsByLane: number;
  readonly requestsByFramework: number;
  readonly connectionsUnread: number;
  readonly rawPipes: number;
  readonly rawPipesOpen: number;
  readonly bytesInFlight: number;
  readonly bytesCopied: number;
  readonly retries: number;
}

/** Where UCX may open TCP ports, which ask no peer for a secret. */
export interface UcxTcpStatus {
  /** The devices that UCX was given; "auto": all of the machine. */
  readonly devices: string;
  /** Those beyond loopback with a TCP port. */
  readonly exposed: readonly string[];
  /** Why the ports take packets of every host; undefined: of admitted ones alone. */
  readonly guardFault: string | undefined;
}

export interface ProxyStatus {
  readonly mode: 'prefer' | 'require' | 'off';
  /** Why this machine has no fast path at all; undefined: it has, or `mode = "off"`. */
  readonly fabricFailure: string | undefined;
  /** Why UCX goes on without shared memory; undefined: it has what it wants, or is not used. */
  readonly shmLoss?: string | undefined;
  /** undefined: UCX is not used. */
  readonly ucxTcp: UcxTcpStatus | undefined;
  /** To UCX's own ports; undefined: UCX is not used. */
  readonly fabricConnections: ConnectionsStatus | undefined;
  readonly isListening: boolean;
  readonly isDraining: boolean;
  readonly connections: number;
  /** `limits.connections`. */
  readonly connectionsMax: number;
  readonly requestsInFlight: number;
  readonly front: FrontStatus;
  readonly upstreamPools: readonly PoolStatus[];
  readonly targets: readonly TargetStatus[];
  /** Messages to all targets; 0 with mode = "off". */
  readonly fabric: { readonly requestsInFlight: number; readonly lateReplies: number };
  readonly logLinesSuppressed: number;
  /** Volumes that are read although no target announces them. */
  readonly unannounced: UnannouncedStatus;
  readonly cache: CacheStats;
  /** undefined: `sidecar.listen` is empty. */
  readonly sidecar?: SidecarStatus | undefined;
  /** undefined with mode = "off". */
  readonly arena: ArenaStatus | undefined;
  /** undefined: the role was not started from a configuration. */
  readonly configuration?: ConfigurationStatus | undefined;
}

export interface VolumeIds {
  readonly count: number;
  /** The first of many. */
  readonly first: readonly number[];
}

/** How the target covers the volumes that its volume server lists. */
export interface CoverageStatus {
  /** Without those of a remote tier, which are the volume server's own. */
  readonly listed: number;
  readonly served: number;
  /** No index of them lies in the target's directories. */
  readonly missing: VolumeIds;
  /** Their files are there, but not loaded or not confirmed. */
  readonly unserved: VolumeIds;
  readonly tiered: number;
  /** Missing or unserved for longer than a volume may take to be loaded. */
  readonly overdue: number;
  /** The directories by their names on the volume server's host. */
  readonly serverDirs: readonly string[];
  /** For a person: how many, which, and where to look. */
  readonly detail: string;
}

export interface TargetRoleStatus {
  /** Why UCX goes on without shared memory; undefined: it has what it wants. */
  readonly shmLoss?: string | undefined;
  readonly isListening: boolean;
  readonly isDraining: boolean;
  readonly sessions: number;
  /** Connected, not authenticated. */
  readonly sessionsPending: number;
  readonly sessionsTotal: number;
  readonly sessionsRefused: number;
  readonly sessionsLost: number;
  readonly connections: ConnectionsStatus;
  readonly ucxTcp: UcxTcpStatus;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Answered reads by status name. */
  readonly reads: Readonly<Record<string, number>>;
  readonly validations: number;
  /** Volumes whose changes are pushed, counted for each session. */
  readonly volumeLeases: number;
  readonly changesPushed: number;
  readonly requestsInFlight: number;
  readonly volumesLoaded: number;
  /** Why volumes are left to the volume server for want of descriptors; undefined: none is. */
  readonly descriptorShortage?: string | undefined;
  readonly volumesConfirmed: number;
  readonly needles: number;
  readonly mapBytes: number;
  readonly readsCached: number;
  readonly readsDisk: number;
  readonly corrupt: number;
  readonly reloads: number;
  readonly arena: ArenaStatus;
  /** undefined: unconfirmed = true. */
  readonly confirmation: ConfirmationStatus | undefined;
  /** undefined: no poll of the volume server has succeeded yet, or unconfirmed = true. */
  readonly coverage: CoverageStatus | undefined;
  /** undefined: the role was not started from a configuration. */
  readonly configuration?: ConfigurationStatus | undefined;
}
