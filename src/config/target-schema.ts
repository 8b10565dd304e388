/** Every key of target.toml: name, default, type. The single source; docs/configuration.md explains them. */
import { type AdminSettings, adminFields } from './admin-settings.ts';
import * as field from './field.ts';
import { type HandshakeSettings, handshakeFields } from './handshake-settings.ts';
import { type LoggingSettings, loggingFields } from './logging.ts';
import { devices, type OneOrMore } from './rail-settings.ts';

export interface TargetSettings {
  readonly rdma: HandshakeSettings & {
    readonly listen: string;
    readonly port: number;
    readonly ucxPort: number;
    /** Several: of the proxies' rails. */
    readonly deviceName: OneOrMore;
    readonly tls: string;
    readonly isNetworkTrusted: boolean;
    readonly transport: 'auto' | 'ucx' | 'tcp';
    readonly isTlsOff: boolean;
    readonly maxSessions: number;
    readonly maxRequests: number;
    readonly maxRequestsPerSession: number;
    readonly sessionTimeoutMs: number;
    readonly bufferBytes: number;
    readonly bufferWaitMs: number;
    readonly hugepages: 'try' | 'require' | 'off';
    readonly secretFile: string;
    readonly secondSecretFile: string;
    readonly insecure: boolean;
  };
  readonly target: {
    readonly dirs: readonly string[];
    readonly idxDirs: readonly string[];
    readonly volumeServerUrl: string;
    readonly confirmEveryMs: number;
    readonly unconfirmed: boolean;
    readonly ioThreads: number;
  };
  readonly admin: AdminSettings;
  readonly logging: LoggingSettings;
}

export const targetSchema: field.Schema<TargetSettings> = {
  rdma: {
    listen: field.host('listen', '127.0.0.1'),
    port: field.integer('port', 18515, { min: 0, max: 65535 }),
    ucxPort: field.integer('ucx_port', 0, { min: 0, max: 65535 }),
    deviceName: devices('device_name', 'auto'),
    tls: field.ucxNames('tls', 'auto'),
    isNetworkTrusted: field.flag('ucx_tcp_trusted_network', false),
    transport: field.choice('transport', 'auto', ['auto', 'ucx', 'tcp']),
    isTlsOff: field.flag('tls_off', false),
    maxSessions: field.integer('max_sessions', 1000, { min: 1, max: 1_000_000 }),
    maxRequests: field.integer('max_requests', 4096, { min: 1, max: 65_535 }),
    maxRequestsPerSession: field.integer('max_requests_per_session', 1024, {
      min: 1,
      max: 65_535,
    }),
    sessionTimeoutMs: field.duration('session_timeout', '300s', { min: 1, max: 86_400_000 }),
    ...handshakeFields,
    bufferBytes: field.size('buffer_size', '1GB', { min: 2 ** 21 }),
    bufferWaitMs: field.duration('buffer_wait', '250ms', { min: 0, max: 60_000 }),
    hugepages: field.choice('hugepages', 'try', ['try', 'require', 'off']),
    secretFile: field.text('secret_file', ''),
    secondSecretFile: field.text('second_secret_file', ''),
    insecure: field.flag('insecure', false),
  },
  target: {
    dirs: field.stringList('dirs', ['/data']),
    idxDirs: field.stringList('idx_dirs', []),
    volumeServerUrl: field.httpUrl('volume_server_url', ''),
    confirmEveryMs: field.duration('confirm_every', '1s', { min: 10, max: 60_000 }),
    unconfirmed: field.flag('unconfirmed', false),
    ioThreads: field.integer('io_threads', 2, { min: 1, max: 64 }),
  },
  admin: adminFields('127.0.0.1:18516'),
  logging: loggingFields,
};
