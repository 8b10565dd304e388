/** Metrics that both roles have: the program, its configuration, its arena and its sessions. */
import type { ConfigurationStatus } from '../configuration.ts';
import type { ArenaStatus } from '../status.ts';
import type { ReadRow, SharedHead } from './metric-row.ts';

export interface BuildInfo {
  readonly version: string;
  readonly role: 'proxy' | 'target';
}

export const buildRows: readonly ReadRow<BuildInfo>[] = [
  {
    name: 'seaweed_rdma_build_info',
    type: 'gauge',
    help: 'Always 1; the labels name the version, Node and role that run.',
    labels: ['version', 'node', 'role'],
    read: ({ version, role }) => [[1, version, process.version, role]],
  },
];

/** undefined: the role was not started from a configuration. */
interface Configured {
  readonly configuration?: ConfigurationStatus | undefined;
}

export const configurationRows: readonly ReadRow<Configured>[] = [
  {
    name: 'seaweed_rdma_config_last_reload_successful',
    type: 'gauge',
    help: '1: the last read of the configuration succeeded; 0: it failed, and the one read before is in effect.',
    labels: [],
    read: ({ configuration }) => (configuration?.lastReload?.ok === false ? 0 : 1),
  },
  {
    name: 'seaweed_rdma_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    help: 'Time when the configuration was last read without error, at the start or on SIGHUP.',
    labels: [],
    read: ({ configuration }) =>
      configuration === undefined ? 0 : Date.parse(configuration.lastSuccessAt) / 1000,
  },
  {
    name: 'seaweed_rdma_config_restart_needed_keys',
    type: 'gauge',
    help: 'Keys whose value in the file takes effect at the next start only.',
    labels: [],
    read: ({ configuration }) => configuration?.lastReload?.needRestart.length ?? 0,
  },
];

/** Without an arena (mode = "off") everything is 0. */
export const arenaRows: readonly ReadRow<{ readonly arena: ArenaStatus | undefined }>[] = [
  {
    name: 'seaweed_rdma_leases_outstanding',
    type: 'gauge',
    help: 'Leases on arena memory that are held.',
    labels: [],
    read: ({ arena }) => arena?.leasesOutstanding ?? 0,
  },
  {
    name: 'seaweed_rdma_lease_leaks_total',
    type: 'counter',
    help: 'Leases that the program forgot and the finalizer returned; each one is a defect.',
    labels: [],
    read: ({ arena }) => arena?.leaseLeaks ?? 0,
  },
  {
    name: 'seaweed_rdma_arena_bytes',
    type: 'gauge',
    help: 'Bytes of the registered arena: total, leased, free.',
    labels: ['state'],
    read: ({ arena: { bytesTotal, bytesLeased } = { bytesTotal: 0, bytesLeased: 0 } }) => [
      [bytesTotal, 'total'],
      [bytesLeased, 'leased'],
      [bytesTotal - bytesLeased, 'free'],
    ],
  },
  {
    name: 'seaweed_rdma_arena_refusals_total',
    type: 'counter',
    help: 'Slabs of the arena that were refused because none of their size was free.',
    labels: [],
    read: ({ arena }) => arena?.refusals ?? 0,
  },
];

/** Each role counts its own end of these. */
export const sessionsActive: SharedHead = {
  name: 'rdma_sessions_active',
  type: 'gauge',
  help: 'Sessions between proxy and target that are up.',
  labels: [],
};

export const bytesTransferred: SharedHead = {
  name: 'rdma_bytes_transferred_total',
  type: 'counter',
  help: 'Payload bytes received (rx) and sent (tx) over the fabric.',
  labels: ['direction'],
};
