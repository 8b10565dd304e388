/** `seaweed-rdma target`. */
import { loadTargetConfig, type TargetConfig } from '../config/target-config.ts';
import { startTarget, type TargetOptions } from '../target/start-target.ts';
import { EffectiveConfiguration } from './effective-configuration.ts';
import { changedKeys, logReload } from './reload.ts';
import { logOptions, type RoleOptions, runRole } from './role.ts';
import { packageVersion } from './version.ts';

const reloadable = ['logging.level', 'logging.format', 'adminToken'];
const reloadableKeys = ['logging.level', 'logging.format', 'admin.token_file'];

/** Throws ConfigError. */
export async function runTargetRole(options: RoleOptions): Promise<void> {
  const file = options.config;
  let config = loadTargetConfig(file, process.env);
  const effective = new EffectiveConfiguration('target', file, reloadableKeys);
  await runRole('target', logOptions(config.logging, options), async (log) => {
    const { logger } = log;
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const target = await startTarget(
      targetOptions(config, () => config.adminToken, effective.keys),
      logger,
    );
    return {
      bound: { rdma: target.address, admin: target.adminAddress },
      close: (drainMs) => target.close(drainMs),
      reload() {
        const next = loadTargetConfig(file, process.env);
        logReload(logger, changedKeys(config, next), reloadable);
        config = next;
        void log.configure(logOptions(next.logging, options));
        effective.reload();
      },
    };
  });
}

function targetOptions(
  config: TargetConfig,
  token: () => string | undefined,
  configuration: TargetOptions['admin']['configuration'],
): TargetOptions {
  const { rdma, target, admin } = config;
  return {
    version: packageVersion(),
    listen: { host: rdma.listen, port: rdma.port },
    deviceName: rdma.deviceName,
    tls: rdma.tls,
    maxSessions: rdma.maxSessions,
    sessionTimeoutMs: rdma.sessionTimeoutMs,
    bufferBytes: rdma.bufferBytes,
    hugepages: rdma.hugepages,
    secret: config.secret ?? '',
    dirs: target.dirs,
    idxDirs: target.idxDirs,
    volumeServerUrl: target.unconfirmed ? undefined : target.volumeServerUrl,
    confirmEveryMs: target.confirmEveryMs,
    admin: { listen: admin.listen, enableCors: admin.enableCors, token, configuration },
  };
}
