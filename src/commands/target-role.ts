/** `seaweed-rdma target`. */
import { loadTargetConfig, type TargetConfig } from '../config/target-config.ts';
import { startTarget, type TargetOptions } from '../target/start-target.ts';
import { LiveConfiguration } from './reload.ts';
import { runRole } from './role.ts';
import { packageVersion } from './version.ts';

/** What SIGHUP changes in the running role; docs/configuration.md lists the same. */
const reloadable = ['logging.level', 'admin.token_file'];

/** Throws ConfigError. */
export async function runTargetRole(file: string | undefined): Promise<void> {
  const live = new LiveConfiguration<TargetConfig>({
    load: () => loadTargetConfig(file, process.env),
    reloadable,
    contents: ({ adminToken, secret }) => ({
      'admin.token_file': adminToken,
      'rdma.secret_file': secret,
    }),
  });
  const config = live.current;
  await runRole('target', config.logging.level, async (logger) => {
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const options = targetOptions(config, () => live.current.adminToken);
    const target = await startTarget({ ...options, configuration: () => live.status() }, logger);
    return {
      bound: { rdma: target.address, admin: target.adminAddress },
      close: (drainMs) => target.close(drainMs),
      reload() {
        live.reload(logger, (next) => {
          logger.level = next.logging.level;
        });
      },
    };
  });
}

function targetOptions(config: TargetConfig, token: () => string | undefined): TargetOptions {
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
    admin: { listen: admin.listen, enableCors: admin.enableCors, token },
  };
}
