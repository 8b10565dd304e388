/**
 * Types of the native part's exports (native/addon). Arguments are valid when they get there: the native side re-checks
 * only what would corrupt memory. Times are in ns, in numbers: exact up to 104 days.
 */
import type { NativeLaneExports } from './native-lane-types.ts';
import type { NativeVolumeFiles } from './native-volume-types.ts';

export interface NativeClientOptions {
  readonly kind: 'ucx' | 'inproc';
  /** False: targets are reached over TCP connections of ours alone. */
  readonly isUcx: boolean;
  readonly arenaBytes: number;
  readonly hugepages: 'try' | 'require' | 'off';
  readonly requestsMax: number;
  readonly spinNs: number;
  readonly deviceName: string;
  /** Devices of rails, in place of deviceName; empty: none. */
  readonly rails: readonly string[];
  readonly tls: string;
  readonly isGuarded: boolean;
  readonly isIpv6: boolean;
  /** 0: connections to UCX's own ports are not watched. */
  readonly handshakeTimeoutNs: number;
  readonly pendingPerAddressMax: number;
  readonly dirs: readonly string[];
  readonly idxDirs: readonly string[];
  readonly unconfirmed: boolean;
  readonly confirmIntervalNs: number;
  readonly ioThreads: number;
  readonly simulatedLatencyNs: number;
}

export interface NativeVolume {
  readonly volumeId: number;
  readonly version: number;
  readonly confirmed: boolean;
  readonly collection: string;
}

export type NativeTargetEvent =
  | {
      readonly kind: 'up';
      readonly target: number;
      readonly transport: string;
      readonly sessionId: bigint;
    }
  | {
      readonly kind: 'down';
      readonly target: number;
      readonly status: number;
      readonly detail: string;
    }
  | {
      readonly kind: 'volumes';
      readonly target: number;
      readonly volumes: readonly NativeVolume[];
    }
  | {
      readonly kind: 'changed';
      readonly target: number;
      readonly volumeId: number;
      readonly epoch: bigint;
      readonly from: bigint;
      readonly to: bigint;
      /** The verdict, as in a verdict row; all but `changed` end the lease. */
      readonly verdict: number;
      /** 64 bits each. */
      readonly ids: ArrayBuffer;
    };

/**
 * `count` entries of the completion ring hold what happened, laid out as completion-ring.ts says; they are valid during
 * the call. `verdicts` are the rows of the batch's validations one after the other; both are absent when there are none.
 */
export type OnBatch = (
  count: number,
  verdicts: ArrayBuffer | undefined,
  events: readonly NativeTargetEvent[] | undefined,
) => void;

export interface NativeClientStats {
  readonly arenaBytesTotal: number;
  readonly arenaBytesLeased: number;
  readonly leasesOutstanding: number;
  readonly arenaRefusals: number;
  readonly arenaRefusedBytes: number;
  readonly pageKind: 'hugetlb' | 'transparent' | 'normal';
  readonly largestSlabBytes: number;
  readonly requestsInFlight: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly lateReplies: number;
  readonly sessions: number;
}

export interface NativeEngineStats {
  readonly volumesLoaded: number;
  readonly volumesWithoutDescriptors: number;
  readonly volumesConfirmed: number;
  readonly needles: number;
  readonly mapBytes: number;
  readonly readsCached: number;
  readonly readsDisk: number;
  readonly readsInFlight: number;
  /** Among them: for memory. */
  readonly readsWaiting: number;
  readonly corrupt: number;
  readonly reloads: number;
}

export interface NativeServedVolume {
  readonly volumeId: number;
  readonly sizeBytes: number;
  readonly fileCount: number;
  readonly modifiedAtSeconds: number;
}

export interface NativeClient {
  /** The whole arena. */
  readonly arena: ArrayBuffer;
  /** Entries of 128 bytes, see completion-ring.ts. */
  readonly ring: ArrayBuffer;
  /** The next READ's fields or VALIDATE's items are written here, then posted; see completion-ring.ts. */
  readonly command: ArrayBuffer;
  /** `rail`: over UCX, which of `rails`. */
  addTarget(
    host: string,
    port: number,
    secrets: readonly string[],
    connectTimeoutNs: number,
    rail: number,
  ): number;
  /** For attempts to connect from now on; see secret.ts. */
  setSecrets(target: number, secrets: readonly string[]): void;
  /** Begins a session over a TCP connection to the target, by a copy of its descriptor. `key`: 32 bytes, of TLS; undefined: none. */
  connectStream(
    target: number,
    fd: number,
    key: Uint8Array | undefined,
    connectTimeoutNs: number,
  ): void;
  /** Again, to the port where the target's UCX listens now. */
  connect(target: number, port: number, connectTimeoutNs: number): void;
  disconnect(target: number): void;
  /** With `isGuarded`: UCX's TCP ports take packets of these literal addresses alone; none at first. Throws. */
  admitPeers(hosts: readonly string[]): void;
  /** Why `isGuarded` could not be had; '': it is as asked for. */
  guardFault(): string;
  /** `ticket`: below requestsMax and not in flight; its completion carries it. */
  postRead(target: number, ticket: number): void;
  /** `leaseMs`: 0 asks for none. */
  postValidate(
    target: number,
    ticket: number,
    itemCount: number,
    timeoutNs: number,
    leaseMs: number,
  ): void;
  postPing(target: number, ticket: number, timeoutNs: number): void;
  release(handle: number): void;
  stats(): NativeClientStats;
  /** Works like NativeTarget's. undefined: UCX has no port, or no watch was asked for. One at a time. */
  lookAtConnections(): Promise<NativeConnectionCounts> | undefined;
  /** For inproc alone. */
  confirm(startedAgoNs: number, rows: readonly NativeServedVolume[]): void;
  engineStats(): NativeEngineStats;
  /** Requests in flight complete as closed in a last batch; then `closed` is called. */
  close(closed: () => void): void;
}

export interface NativeTargetOptions {
  readonly host: string;
  readonly port: number;
  readonly secrets: readonly string[];
  readonly sessionsMax: number;
  readonly requestsPerSessionMax: number;
  /** Requests of all sessions under way. */
  readonly requestsMax: number;
  /** A read waits this long for memory of the arena. */
  readonly memoryWaitNs: number;
  readonly sessionTimeoutNs: number;
  /** For a connection to become a session. */
  readonly handshakeTimeoutNs: number;
  /** Connections of one address that are no session yet. */
  readonly pendingPerAddressMax: number;
  readonly drainTimeoutNs: number;
  readonly spinNs: number;
  readonly deviceName: string;
  /** A session stays on the device over which it came. */
  readonly keepsDevice: boolean;
  readonly tls: string;
  readonly isUcx: boolean;
  readonly isGuarded: boolean;
  readonly arenaBytes: number;
  readonly hugepages: 'try' | 'require' | 'off';
  readonly dirs: readonly string[];
  readonly idxDirs: readonly string[];
  readonly unconfirmed: boolean;
  readonly confirmIntervalNs: number;
  readonly ioThreads: number;
}

export interface NativeTargetStats {
  readonly sessionsActive: number;
  readonly sessionsPending: number;
  readonly sessionsTotal: number;
  readonly sessionsRefused: number;
  readonly sessionsLost: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Answers by the status' name; those never given are absent. */
  readonly readsByStatus: Readonly<Record<string, number>>;
  readonly validations: number;
  /** Leases of all sessions. */
  readonly volumeLeases: number;
  /** To the holders of leases. */
  readonly changesPushed: number;
  readonly requestsInFlight: number;
  readonly arenaBytesTotal: number;
  readonly arenaBytesLeased: number;
  readonly leasesOutstanding: number;
  readonly arenaRefusals: number;
  readonly pageKind: 'hugetlb' | 'transparent' | 'normal';
  readonly engine: NativeEngineStats;
}

/** TCP connections that are no session's. */
export interface NativeConnectionCounts {
  /** Connections whose peers have not said yet who they are. */
  readonly waiting: number;
  /** Connections ended by a bound, since the start. */
  readonly ended: number;
  /** Open in this process, whatever they are. */
  readonly descriptors: number;
  /** For UCX's data, and closed by it for good. */
  readonly lostPorts: number;
  /** Processor time that the look took. */
  readonly lookCpuMs: number;
}

export interface NativeSessionEvent {
  readonly kind: 'welcomed' | 'refused' | 'ended' | 'lost';
  /** 0n: refused before there was a session. */
  readonly sessionId: bigint;
  /** Why it was refused or ended; that of `ok`: no reason was given. */
  readonly status: number;
}

export interface NativeTarget {
  /** UCX listens there; 0: it does not. */
  readonly port: number;
  /** Works like NativeClient's. */
  readonly guardFault: string;
  admitPeers(hosts: readonly string[]): void;
  /** For sessions that begin from now on; see secret.ts. */
  setSecrets(secrets: readonly string[]): void;
  /** Serves the peer of a TCP connection, by a copy of its descriptor. `key`: as NativeClient's. */
  adopt(fd: number, key: Uint8Array | undefined): void;
  confirm(startedAgoNs: number, rows: readonly NativeServedVolume[]): void;
  /** Called when a volume was asked for that the last poll does not list; replaces the listener before. */
  onPollWanted(listener: () => void): void;
  stats(): NativeTargetStats;
  /** Ends those that have waited for too long, or are too many of one address. */
  lookAtConnections(): NativeConnectionCounts;
  /** Takes the events in order, each once; the last 256 are kept. */
  takeSessionEvents(): readonly NativeSessionEvent[];
  volumes(): readonly NativeVolume[];
  /** Drains; `stopped` is called when no request is left. */
  stop(stopped: () => void): void;
  /** Ends at once; a stop() under way is finished by it. Idempotent. */
  destroy(): void;
}

/** Memory that is not registered (native/addon/cache_memory_binding.cc). */
export interface NativeCacheMemory {
  readonly memory: ArrayBuffer;
  /** undefined: there is no room. */
  take(bytes: number): { readonly handle: number; readonly offset: number } | undefined;
  release(handle: number): void;
  stats(): Pick<NativeClientStats, 'arenaBytesTotal' | 'arenaBytesLeased' | 'leasesOutstanding'>;
}

export interface Binding extends NativeVolumeFiles, NativeLaneExports {
  readonly protocolVersion: number;
  /** Version of the memory that it shares with JavaScript; undefined: an older one. */
  readonly layoutVersion: number | undefined;
  readonly statusTable: readonly (readonly [name: string, number: number])[];
  readonly hasUcx: boolean;
  /** Version of the library that is loaded; '' without UCX. */
  readonly ucxVersion: string;
  readonly CacheMemory: new (
    options: Pick<NativeClientOptions, 'arenaBytes' | 'hugepages'>,
  ) => NativeCacheMemory;
  readonly RdmaClient: new (options: NativeClientOptions, onBatch: OnBatch) => NativeClient;
  readonly TargetHost: new (options: NativeTargetOptions) => NativeTarget;
}
