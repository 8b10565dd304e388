/** The part of /stats that the tools read: docs/openapi.json describes all of it. */

export interface ProxyTargetStats {
  readonly address: string;
  readonly upstreamUrl: string;
  readonly state?: { readonly kind: string; readonly transport?: string; readonly detail?: string };
  readonly breaker: string;
  readonly volumes: number;
  readonly volumesConfirmed: number;
  readonly isUpstreamUp: boolean;
}

export interface ProxyStats {
  readonly role: 'proxy';
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly mode: string;
  readonly isDraining: boolean;
  readonly connections: number;
  readonly requestsInFlight: number;
  readonly fabricFailure?: string;
  readonly targets: readonly ProxyTargetStats[];
  readonly cache: {
    readonly hits: number;
    readonly misses: number;
    readonly needles: number;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly decodedBytes: number;
    readonly refusals: number;
    readonly validations: number;
    readonly validatedHits: number;
    readonly evictions: Readonly<Record<string, number>>;
  };
  readonly arena?: ArenaStats;
  readonly requests: {
    readonly requests: number;
    readonly outcomes: Readonly<Record<Outcome, number>>;
    readonly passthrough: Readonly<Record<string, number>>;
    readonly errors: Readonly<Record<string, number>>;
    readonly transports: Readonly<Record<string, number>>;
    readonly bodyBytes: number;
  };
  readonly clients?: {
    readonly requests: number;
    readonly lastRequestSecondsAgo: number | null;
    readonly tracked: number;
  };
  readonly sidecar?: { readonly requests: readonly { readonly count: number }[] };
}

export interface TargetStats {
  readonly role: 'target';
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly isDraining: boolean;
  readonly sessions: number;
  readonly reads: Readonly<Record<string, number>>;
  readonly readsCached: number;
  readonly readsDisk: number;
  readonly validations: number;
  readonly bytesSent: number;
  readonly requestsInFlight: number;
  readonly volumesLoaded: number;
  readonly volumesConfirmed: number;
  readonly needles: number;
  readonly corrupt: number;
  readonly arena: ArenaStats;
  readonly confirmation?: { readonly isOk: boolean; readonly failure: string };
}

export interface ArenaStats {
  readonly pageKind: string;
  readonly bytesTotal: number;
  readonly bytesLeased: number;
  readonly leasesOutstanding: number;
  readonly leaseLeaks: number;
}

export type RoleStats = ProxyStats | TargetStats;

export const outcomes = ['cache', 'rdma', 'passthrough', 'error'] as const;
export type Outcome = (typeof outcomes)[number];
