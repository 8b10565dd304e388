/** Every key of proxy.toml: name, default, type. The single source; docs/configuration.md explains them. */
import type { ListenAddress } from './address.ts';
import { type AdminSettings, adminFields } from './admin-settings.ts';
import { integerOrAuto } from './auto-integer.ts';
import { cacheSize } from './cache-size.ts';
import * as field from './field.ts';
import { type HandshakeSettings, handshakeFields } from './handshake-settings.ts';
import { type HedgeSettings, hedgeFields } from './hedge-settings.ts';
import { type ProxyLoggingSettings, proxyLoggingFields } from './logging.ts';
import {
  devices,
  type OneOrMore,
  type RailSettings,
  railFields,
  targetAddresses,
  targetOrNone,
} from './rail-settings.ts';
import { type SidecarSettings, sidecarFields } from './sidecar-settings.ts';

export type Consistency = 'strict' | 'lease' | 'immutable';

export interface CollectionSettings {
  readonly consistency: Consistency;
  readonly leaseMs: number;
}

export interface ProxySettings {
  readonly http: {
    readonly listen: ListenAddress;
    readonly port: number | undefined;
    readonly lane: boolean;
    readonly lanes: number | 'auto';
    readonly laneAskersMin: number;
    readonly onCorrupt: 'pass' | 'refuse';
    readonly debugHeaders: boolean;
  };
  readonly seaweedfs: {
    readonly volumeServerUrl: string;
    readonly volumeServers: readonly {
      readonly url: string;
      /** host:port; '' says that no target runs beside this server. Several: addresses of one target. */
      readonly target: OneOrMore;
    }[];
    readonly masters: undefined;
    readonly securityToml: string;
  };
  readonly rdma: HandshakeSettings &
    HedgeSettings &
    RailSettings & {
      readonly mode: 'prefer' | 'require' | 'off';
      readonly transport: 'auto' | 'ucx' | 'tcp' | 'inproc';
      /** host:port. Several: addresses of one target. */
      readonly target: OneOrMore;
      /** Several: rails. */
      readonly deviceName: OneOrMore;
      readonly tls: string;
      readonly isNetworkTrusted: boolean;
      readonly isTlsOff: boolean;
      readonly timeoutMs: number;
      readonly connectTimeoutMs: number;
      readonly secretFile: string;
      readonly secondSecretFile: string;
      readonly dirs: readonly string[];
      readonly simulatedLatencyMs: number;
    };
  readonly cache: {
    readonly bytesMax: number;
    readonly decodedBytesMax: number;
    readonly consistency: Consistency;
    readonly leaseMs: number;
    readonly collections: Readonly<Record<string, CollectionSettings>>;
  };
  readonly memory: {
    readonly bytes: number;
    readonly hugepages: 'try' | 'require' | 'off';
  };
  readonly limits: {
    readonly connectionsMax: number;
    readonly requestsInFlightMax: number;
    readonly bytesInFlightMax: number;
    readonly connectionBytesMax: number;
    readonly headBytesMax: number;
    readonly headTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly bodyTimeoutMs: number;
    readonly bodyBytesMin: number;
    readonly upstreamConnectTimeoutMs: number;
    readonly upstreamTimeoutMs: number;
    readonly needleBytesMax: number;
    readonly decodedBytesMax: number;
    readonly decodingBytesMax: number;
    readonly tokensMax: number;
  };
  readonly sidecar: SidecarSettings;
  readonly admin: AdminSettings;
  readonly logging: ProxyLoggingSettings;
}

const port: field.Range = { min: 0, max: 65535 };
const count: field.Range = { min: 1, max: 10_000_000 };
const someTime: Partial<field.Range> = { min: 1, max: 86_400_000 };
/** The lease times that a target grants (native/protocol/wire.h). */
const leaseTime: Partial<field.Range> = { min: 1, max: 60_000 };
const someBytes: Partial<field.Range> = { min: 1 };
const consistencies: readonly Consistency[] = ['strict', 'lease', 'immutable'];

export const proxySchema: field.Schema<ProxySettings> = {
  http: {
    listen: field.listenAddress('listen', '0.0.0.0:8080'),
    port: field.optionalInteger('port', port),
    lane: field.flag('lane', true),
    lanes: integerOrAuto('lanes', { min: 0, max: 64 }),
    laneAskersMin: field.integer('lane_strict_connections', 8, count),
    onCorrupt: field.choice('on_corrupt', 'pass', ['pass', 'refuse']),
    debugHeaders: field.flag('debug_headers', false),
  },
  seaweedfs: {
    volumeServerUrl: field.httpUrl('volume_server_url', 'http://127.0.0.1:18080'),
    volumeServers: field.tableList('volume_server', {
      url: field.httpUrl('url', ''),
      target: targetOrNone('target'),
    }),
    masters: field.reserved(
      'masters',
      'reserved: finding volume servers through the masters is not built yet; list them as [[seaweedfs.volume_server]]',
    ),
    securityToml: field.text('security_toml', ''),
  },
  rdma: {
    mode: field.choice('mode', 'prefer', ['prefer', 'require', 'off']),
    transport: field.choice('transport', 'auto', ['auto', 'ucx', 'tcp', 'inproc']),
    target: targetAddresses('target', '127.0.0.1:18515'),
    deviceName: devices('device_name', 'auto'),
    tls: field.ucxNames('tls', 'auto'),
    isNetworkTrusted: field.flag('ucx_tcp_trusted_network', false),
    isTlsOff: field.flag('tls_off', false),
    timeoutMs: field.duration('timeout', '2s', someTime),
    connectTimeoutMs: field.duration('connect_timeout', '1s', someTime),
    ...handshakeFields,
    ...hedgeFields,
    ...railFields,
    secretFile: field.text('secret_file', ''),
    secondSecretFile: field.text('second_secret_file', ''),
    dirs: field.stringList('dirs', []),
    simulatedLatencyMs: field.duration('simulated_latency', '0us', { max: 60_000 }),
  },
  cache: {
    bytesMax: cacheSize('size'),
    decodedBytesMax: field.size('decoded_size', '64MiB'),
    consistency: field.choice('consistency', 'strict', consistencies),
    leaseMs: field.duration('lease', '1s', leaseTime),
    collections: field.tableMap('collection', {
      consistency: field.choice('consistency', 'strict', consistencies),
      leaseMs: field.duration('lease', '1s', leaseTime),
    }),
  },
  memory: {
    bytes: field.size('size', '256MiB', { min: 2 ** 21 }),
    hugepages: field.choice('hugepages', 'try', ['try', 'require', 'off']),
  },
  limits: {
    connectionsMax: field.integer('connections', 20_000, count),
    requestsInFlightMax: field.integer('requests_in_flight', 4096, count),
    bytesInFlightMax: field.size('bytes_in_flight', '256MiB', someBytes),
    connectionBytesMax: field.size('connection_bytes', '8MiB', someBytes),
    headBytesMax: field.size('head_bytes', '64KiB', { min: 1024, max: 2 ** 20 }),
    headTimeoutMs: field.duration('head_timeout', '30s', someTime),
    idleTimeoutMs: field.duration('idle_timeout', '30s', someTime),
    bodyTimeoutMs: field.duration('body_timeout', '30s', someTime),
    bodyBytesMin: field.size('body_bytes_min', '4KiB', someBytes),
    upstreamConnectTimeoutMs: field.duration('upstream_connect_timeout', '5s', someTime),
    upstreamTimeoutMs: field.duration('upstream_timeout', '120s', someTime),
    needleBytesMax: field.size('needle_bytes', '64MiB', { min: 1, max: 2 ** 32 }),
    decodedBytesMax: field.size('decoded_bytes', '64MiB', { min: 1, max: 2 ** 32 }),
    decodingBytesMax: field.size('decoding_bytes', '128MiB', someBytes),
    tokensMax: field.integer('tokens', 10_000, { min: 0, max: 1_000_000 }),
  },
  sidecar: sidecarFields,
  admin: adminFields('127.0.0.1:8081'),
  logging: proxyLoggingFields,
};
