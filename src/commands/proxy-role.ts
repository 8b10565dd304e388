/** `seaweed-rdma proxy`. */
import { loadProxyConfig, type ProxyConfig } from '../config/proxy-config.ts';
import { type ProxyOptions, startProxy } from '../proxy/proxy.ts';
import { changedKeys, logReload } from './reload.ts';
import { startWatch } from './request-watch.ts';
import { logOptions, type RoleOptions, runRole } from './role.ts';
import { packageVersion } from './version.ts';

const reloadable = [
  'logging.level',
  'logging.format',
  'logging.requests',
  'logging.requestSample',
  'logging.troublePerMinute',
  'adminToken',
  'readKey',
];

/** Throws ConfigError. */
export async function runProxyRole(options: RoleOptions): Promise<void> {
  const file = options.config;
  let config = loadProxyConfig(file, process.env);
  await runRole('proxy', logOptions(config.logging, options), async (log) => {
    const { logger } = log;
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const watch = await startWatch(logger, config.logging, process.env);
    const secrets = { readKey: () => config.readKey, adminToken: () => config.adminToken };
    const proxy = await startProxy({ ...proxyOptions(config, secrets), watch }, logger);
    return {
      bound: { http: proxy.address, admin: proxy.adminAddress },
      async close(drainMs) {
        await proxy.close(drainMs);
        await watch.close();
      },
      reload() {
        const next = loadProxyConfig(file, process.env);
        logReload(logger, changedKeys(config, next), reloadable);
        config = next;
        watch.configure(next.logging);
        void log.configure(logOptions(next.logging, options));
      },
    };
  });
}

/** Asked at each use, so that they can be reloaded. */
interface LiveSecrets {
  readonly readKey: () => string | undefined;
  readonly adminToken: () => string | undefined;
}

function proxyOptions(config: ProxyConfig, secrets: LiveSecrets): ProxyOptions {
  const { http, rdma, cache, memory, limits, admin } = config;
  return {
    version: packageVersion(),
    http: {
      listen: http.listen,
      lane: http.lane,
      onCorrupt: http.onCorrupt,
      debugHeaders: http.debugHeaders,
      limits: {
        connections: limits.connectionsMax,
        requestsInFlight: limits.requestsInFlightMax,
        bytesInFlight: limits.bytesInFlightMax,
        connectionBytes: limits.connectionBytesMax,
        headBytes: limits.headBytesMax,
        headTimeoutMs: limits.headTimeoutMs,
        idleTimeoutMs: limits.idleTimeoutMs,
      },
    },
    volumeServers: config.volumeServers,
    readKey: secrets.readKey,
    rdma: { ...rdma, secret: config.secret ?? '' },
    cache: {
      bytesMax: cache.bytesMax,
      decodedBytesMax: cache.decodedBytesMax,
      policyOf: (collection) => cache.collections[collection] ?? cache,
    },
    memory,
    needleBytesMax: limits.needleBytesMax,
    decodedBytesMax: limits.decodedBytesMax,
    requestsInFlightMax: limits.requestsInFlightMax,
    admin: { listen: admin.listen, enableCors: admin.enableCors, token: secrets.adminToken },
  };
}
