/** `seaweed-rdma target`. */
import { loadTargetConfig, type TargetConfig } from '../../config/target-config.ts';
import { startTarget, type TargetOptions } from '../../target-role/start-target.ts';
import { LimitedLog } from '../../telemetry/limited-log.ts';
import { packageVersion } from '../version.ts';
import { descriptorLimit } from './descriptor-failure.ts';
import { LiveSecrets } from './live-secrets.ts';
import { LiveConfiguration } from './reload.ts';
import { logOptions, type RoleKeys, type RoleOptions, runRole } from './role.ts';
import { sessionLog } from './session-log.ts';
import { placeOf, type StartPlace } from './start-failure.ts';

/** Keys that SIGHUP changes in the running role; docs/configuration.md lists the same. */
const reloadable = [
  'logging.level',
  'logging.format',
  'logging.trouble_per_minute',
  'admin.token_file',
  'rdma.secret_file',
  'rdma.second_secret_file',
];

/** Throws ConfigError. */
export async function runTargetRole(options: RoleOptions): Promise<void> {
  const live = new LiveConfiguration<TargetConfig>({
    load: () => loadTargetConfig(options.config, process.env),
    reloadable,
    contents: ({ adminToken, secrets: [secret, second] }) => ({
      'admin.token_file': adminToken,
      'rdma.secret_file': secret,
      'rdma.second_secret_file': second,
    }),
    keysThatWait: (next) => secrets.keysThatWait(next.secrets),
  });
  const config = live.current;
  const secrets = new LiveSecrets(config.secrets);
  await runRole('target', logOptions(config.logging, options), keysOf(config), async (log) => {
    const { logger } = log;
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const limited = new LimitedLog(logger, config.logging.troublePerMinute);
    const assembled = targetOptions(config, {
      adminToken: () => live.current.adminToken,
      secrets: secrets.now,
      configuration: () => live.keys,
    });
    const onSession = sessionLog(logger, limited);
    const onConnectionsEnded = (ended: number, waiting: number): void =>
      limited.warn(
        { event: 'connections-ended', ended, waiting },
        'connections were ended: they did not become sessions in time, or were too many of one address',
      );
    const target = await startTarget(
      { ...assembled, configuration: () => live.status(), onSession, onConnectionsEnded },
      logger,
    );
    return {
      bound: { rdma: target.address, admin: target.adminAddress },
      async close(drainMs) {
        await target.close(drainMs);
        limited.close();
      },
      reload() {
        live.reload(logger, (next) => {
          secrets.take(next.secrets);
          target.secretChanged();
          limited.linesPerMinute = next.logging.troublePerMinute;
          void log.configure(logOptions(next.logging, options));
        });
      },
    };
  });
}

function keysOf(config: TargetConfig): RoleKeys {
  const { rdma, target } = config;
  const { deviceName, tls } = rdma;
  return {
    places: placesOf(config),
    fabric: {
      dirs: [
        { key: 'target.dirs', paths: target.dirs },
        { key: 'target.idx_dirs', paths: target.idxDirs },
      ],
      memory: { key: 'rdma.buffer_size', bytes: rdma.bufferBytes },
      hugepagesKey: 'rdma.hugepages',
      ucx: { deviceName, tls },
    },
    descriptors: { key: 'rdma.max_sessions', count: rdma.maxSessions, dirs: target.dirs },
  };
}

function placesOf({ rdma, admin }: TargetConfig): StartPlace[] {
  const { listen: host } = rdma;
  return [
    { hostKey: 'rdma.listen', portKey: 'rdma.port', address: { host, port: rdma.port } },
    { hostKey: 'rdma.listen', portKey: 'rdma.ucx_port', address: { host, port: rdma.ucxPort } },
    placeOf('admin.listen', admin.listen),
  ];
}

/** Read at each use, so that they can be reloaded. */
interface Live {
  readonly adminToken: () => string | undefined;
  readonly secrets: () => readonly string[];
  readonly configuration: TargetOptions['admin']['configuration'];
}

function targetOptions(config: TargetConfig, live: Live): TargetOptions {
  const { rdma, target, admin } = config;
  return {
    version: packageVersion(),
    listen: { host: rdma.listen, port: rdma.port },
    ucxPort: rdma.ucxPort,
    deviceName: rdma.deviceName,
    keepsDevice: rdma.keepsDevice,
    tls: rdma.tls,
    isNetworkTrusted: rdma.isNetworkTrusted,
    transport: rdma.transport,
    isTlsOff: rdma.isTlsOff,
    maxSessions: rdma.maxSessions,
    descriptorLimit: descriptorLimit(),
    maxRequests: rdma.maxRequests,
    maxRequestsPerSession: rdma.maxRequestsPerSession,
    sessionTimeoutMs: rdma.sessionTimeoutMs,
    handshakeTimeoutMs: rdma.handshakeTimeoutMs,
    pendingPerAddressMax: rdma.pendingPerAddressMax,
    bufferBytes: rdma.bufferBytes,
    bufferWaitMs: rdma.bufferWaitMs,
    ioThreads: target.ioThreads,
    hugepages: rdma.hugepages,
    secret: live.secrets,
    dirs: target.dirs,
    idxDirs: target.idxDirs,
    volumeServerUrl: target.unconfirmed ? undefined : target.volumeServerUrl,
    confirmEveryMs: target.confirmEveryMs,
    admin: {
      listen: admin.listen,
      enableCors: admin.enableCors,
      limits: admin,
      token: live.adminToken,
      configuration: live.configuration,
    },
  };
}
