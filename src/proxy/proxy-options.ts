/** The options that a proxy is started with. */
import type { AdminPlace } from '../admin/admin-options.ts';
import type { ConfigurationStatus } from '../admin/configuration.ts';
import type { RequestObserver, RequestRecord } from '../needle/request-record.ts';
import type { Secret } from '../rdma/secret.ts';
import type { CachePolicy } from './cache/cache-policy.ts';
import type { HedgeOptions } from './fleet/hedging.ts';
import type { FrontLog, HttpFrontOptions } from './front/server.ts';
import type { SidecarListenerOptions } from './sidecar-listener.ts';

/** Logs and traces of requests. */
export interface RequestWatch {
  /** One call per finished request. */
  readonly observe: RequestObserver;
  /** A request that a lane has answered, looked at for `weight` of them. */
  readonly observeSome: (record: RequestRecord, weight: number) => void;
  /** Each request is logged or traced: none may be answered unseen. */
  readonly mustSeeAll: () => boolean;
  /** True if the records tell how long the corridor took. */
  readonly isTimed: boolean;
  /** For lines that may come with each request or connection. */
  readonly log: FrontLog;
  /** Lines among these that a rate limit held back. */
  readonly suppressedLines: () => number;
}

export interface ProxyOptions {
  readonly version: string;
  readonly http: Omit<HttpFrontOptions, 'logger' | 'isTimed' | 'lanes'> & {
    /** Native threads that answer published requests; 0: the event loop answers all. */
    readonly lanes: number;
    /** Connections that read strict volumes, from which on lanes take them. */
    readonly laneAskersMin: number;
    readonly onCorrupt: 'pass' | 'refuse';
  };
  /** At least one; `target` is host:port, undefined where none runs beside it; with rails, its addresses. */
  readonly volumeServers: readonly {
    readonly url: string;
    readonly target: string | undefined;
    readonly targetAddresses?: readonly string[];
  }[];
  readonly readKey: () => string | undefined;
  readonly rdma: {
    readonly mode: 'prefer' | 'require' | 'off';
    readonly transport: 'auto' | 'ucx' | 'tcp' | 'inproc';
    readonly deviceName: string;
    readonly tls: string;
    readonly isNetworkTrusted: boolean;
    readonly isTlsOff: boolean;
    readonly timeoutMs: number;
    readonly connectTimeoutMs: number;
    /** For a peer that connects to a port of UCX to say who it is. */
    readonly handshakeTimeoutMs: number;
    readonly pendingPerAddressMax: number;
    /** Absent: no read is hedged. */
    readonly hedging?: HedgeOptions | undefined;
    /** Devices, each a way of its own to every target; absent or empty: one way. */
    readonly rails?: readonly string[];
    /** A rail without a sign of life for so long is left for another. */
    readonly railTimeoutMs?: number;
    /** A session over TCP takes over while UCX does not work. */
    readonly fallbackTcp?: boolean;
    /** Sessions with each target over each rail, or over the one way; absent: 1. */
    readonly connections?: number;
    readonly secret: Secret;
    readonly dirs: readonly string[];
    readonly simulatedLatencyMs: number;
  };
  readonly cache: {
    /** 0: no cache. */
    readonly bytesMax: number;
    readonly decodedBytesMax: number;
    readonly policyOf: (collection: string) => CachePolicy;
    /** VALIDATEs under way per target; default 1. */
    readonly validationsMax?: number;
  };
  readonly memory: { readonly bytes: number; readonly hugepages: 'try' | 'require' | 'off' };
  readonly needleBytesMax: number;
  readonly decodedBytesMax: number;
  /** Bytes of decoded forms that are being made or sent. */
  readonly decodingBytesMax: number;
  /** Read tokens that are remembered once they were verified; absent: 0. */
  readonly tokensMax?: number;
  readonly requestsInFlightMax: number;
  /** RLIMIT_NOFILE. */
  readonly descriptorLimit: number;
  readonly admin: AdminPlace;
  /** The listener for `weed mount`; absent: there is none. */
  readonly sidecar?: SidecarListenerOptions | undefined;
  /** Absent: the metrics are the only observer. */
  readonly watch?: RequestWatch;
  readonly configuration?: () => ConfigurationStatus;
}
