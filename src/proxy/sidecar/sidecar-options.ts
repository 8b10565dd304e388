/** The options of the sidecar's listener, and the parts of the proxy around it that it uses. */
import type { BytesRoute } from '../../needle/needle-outcome.ts';
import type { NeedleEnds } from './needle-ends.ts';
import type { SidecarObserver } from './sidecar-ledger.ts';

export interface SidecarLimits {
  /** A longer read is refused: 413. */
  readonly readBytesMax: number;
  /** Bytes of answers that are being made and sent; over this limit reads are refused: 503. */
  readonly bytesInFlightMax: number;
  /** Over this reads are refused: 503. */
  readonly requestsInFlightMax: number;
  /** Over this a newcomer takes the place of a quiet connection. */
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** From a request's first byte to its last. */
  readonly headTimeoutMs: number;
  /** Without a request, or without progress of an answer: the connection is closed. */
  readonly idleTimeoutMs: number;
  /** For one read of a volume server over HTTP. */
  readonly httpTimeoutMs: number;
}

export interface TempOptions {
  readonly dir: string;
  /** Bytes of all files together; beyond this limit answers come in the body alone. */
  readonly bytesMax: number;
  /** Shorter answers come in the body alone. */
  readonly minBytes: number;
  /** A file that its client did not clean up is removed after that. */
  readonly ttlMs: number;
  readonly fileMode: number;
}

export interface SidecarOptions {
  readonly version: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Only programs of this machine reach it; so does a page of the web, whose name was made to point here. */
  readonly isOnLoopback: boolean;
  /** URLs that `volume_server` may name. */
  readonly volumeServers: readonly string[];
  /** Reads without a token are signed here. */
  readonly signsReads: boolean;
  /** Reads that the fast path does not answer are read from the volume server. */
  readonly httpFallback: boolean;
  readonly needleEnds: NeedleEnds;
  readonly limits: SidecarLimits;
  readonly temp: TempOptions | undefined;
  /** Needles up to here are read whole, since the cache then has them for the next range; 0: there is no cache. */
  readonly wholeBytesMax: number;
  /** For /rdma/capabilities. */
  readonly deviceName: string;
  readonly hasSecret: boolean;
}

/** The sidecar's view of the proxy's targets. */
export interface FabricView {
  readonly mode: 'prefer' | 'require' | 'off';
  readonly fabricFailure: string | undefined;
  readonly targets: readonly FabricTarget[];
}

export interface FabricTarget {
  readonly address: string;
  readonly upstreamUrl: string;
  /** undefined: no target beside this volume server, or mode = "off". */
  readonly state:
    | { readonly kind: 'connecting' }
    | { readonly kind: 'up'; readonly transport: string; readonly sessionId: bigint }
    | { readonly kind: 'down'; readonly status: string; readonly detail: string }
    | undefined;
  readonly volumes: number;
  readonly volumesConfirmed: number;
  readonly isUpstreamUp: boolean;
}

export interface FabricPing {
  readonly address: string;
  /** undefined: no answer. */
  readonly roundTripUs: number | undefined;
  /** Why there is none; '' where there is one. */
  readonly failure: string;
}

export interface SidecarHost {
  readonly route: BytesRoute;
  /** SeaweedFS's jwt.signing.read.key, where it is known. */
  readonly readKey: () => string | undefined;
  readonly fabric: () => FabricView;
  /** Asks every target that is up. */
  readonly ping: () => Promise<readonly FabricPing[]>;
  /** Session of the target that has the volume; '' where none is up. */
  readonly sessionOf: (volumeId: number) => string;
  readonly observe: SidecarObserver;
  readonly log: SidecarLog;
}

export interface SidecarLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
