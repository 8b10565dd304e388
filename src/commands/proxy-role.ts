/** `seaweed-rdma proxy`. */
import { loadProxyConfig, type ProxyConfig } from '../config/proxy-config.ts';
import { type ProxyOptions, startProxy } from '../proxy/proxy.ts';
import { EffectiveConfiguration } from './effective-configuration.ts';
import { changedKeys, logReload } from './reload.ts';
import { runRole } from './role.ts';
import { packageVersion } from './version.ts';

const reloadable = ['logging.level', 'adminToken', 'readKey'];
const reloadableKeys = ['logging.level', 'admin.token_file', 'seaweedfs.security_toml'];

/** Throws ConfigError. */
export async function runProxyRole(file: string | undefined): Promise<void> {
  let config = loadProxyConfig(file, process.env);
  const effective = new EffectiveConfiguration('proxy', file, reloadableKeys);
  await runRole('proxy', config.logging.level, async (logger) => {
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const options = proxyOptions(config, {
      readKey: () => config.readKey,
      adminToken: () => config.adminToken,
      configuration: effective.keys,
    });
    const proxy = await startProxy(options, logger);
    return {
      bound: { http: proxy.address, admin: proxy.adminAddress },
      close: (drainMs) => proxy.close(drainMs),
      reload() {
        const next = loadProxyConfig(file, process.env);
        logReload(logger, changedKeys(config, next), reloadable);
        config = next;
        effective.reload();
        logger.level = next.logging.level;
      },
    };
  });
}

/** Asked at each use, so that they can be reloaded. */
interface Live {
  readonly readKey: () => string | undefined;
  readonly adminToken: () => string | undefined;
  readonly configuration: ProxyOptions['admin']['configuration'];
}

function proxyOptions(config: ProxyConfig, live: Live): ProxyOptions {
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
    readKey: live.readKey,
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
    admin: {
      listen: admin.listen,
      enableCors: admin.enableCors,
      token: live.adminToken,
      configuration: live.configuration,
    },
  };
}
