/** `seaweed-rdma proxy`. */

import { availableParallelism } from 'node:os';
import { parseHostPort } from '../../config/address.ts';
import { loadProxyConfig, type ProxyConfig } from '../../config/proxy-config.ts';
import { startProxy } from '../../proxy/proxy.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';
import { packageVersion } from '../version.ts';
import { descriptorLimit } from './descriptor-failure.ts';
import { LiveSecrets } from './live-secrets.ts';
import { type OwnPlace, refuseOwnAddress } from './own-address.ts';
import { LiveConfiguration } from './reload.ts';
import { startWatch } from './request-watch.ts';
import { logOptions, type RoleKeys, type RoleOptions, runRole } from './role.ts';
import { sidecarOptions } from './sidecar-options.ts';
import { placeOf, type StartPlace } from './start-failure.ts';

/** Keys that SIGHUP changes in the running role; docs/configuration.md lists the same. */
const reloadable = [
  'logging.level',
  'logging.format',
  'logging.requests',
  'logging.request_sample',
  'logging.trouble_per_minute',
  'admin.token_file',
  'rdma.secret_file',
  'rdma.second_secret_file',
  'seaweedfs.security_toml',
  'http.on_corrupt',
  'http.debug_headers',
  'limits.connections',
  'limits.bytes_in_flight',
  'limits.connection_bytes',
];

/** Throws ConfigError. */
export async function runProxyRole(options: RoleOptions): Promise<void> {
  const live = new LiveConfiguration<ProxyConfig>({
    load: () => loadProxyConfig(options.config, process.env),
    reloadable,
    contents: ({ adminToken, readKey, secrets: [secret, second] }) => ({
      'admin.token_file': adminToken,
      'seaweedfs.security_toml': readKey,
      'rdma.secret_file': secret,
      'rdma.second_secret_file': second,
    }),
    keysThatWait: (next) => secrets.keysThatWait(next.secrets),
  });
  const config = live.current;
  const secrets = new LiveSecrets(config.secrets);
  await runRole('proxy', logOptions(config.logging, options), keysOf(config), async (log) => {
    const { logger } = log;
    for (const warning of config.warnings) logger.warn({ event: 'configuration' }, warning);
    const urls = config.volumeServers.map(({ url }) => url);
    await refuseOwnAddress(config.file, httpPlace(config), urls);
    const watch = await startWatch(logger, config.logging, process.env);
    const assembled = proxyOptions(config, {
      readKey: () => live.current.readKey,
      adminToken: () => live.current.adminToken,
      secrets: secrets.now,
      configuration: () => live.keys,
    });
    const proxy = await startProxy(
      { ...assembled, watch, configuration: () => live.status() },
      logger,
    );
    return {
      bound: {
        http: proxy.address,
        admin: proxy.adminAddress,
        ...(proxy.sidecarAddress === '' ? {} : { sidecar: proxy.sidecarAddress }),
      },
      async close(drainMs) {
        await proxy.close(drainMs);
        await watch.close();
      },
      reload() {
        live.reload(logger, (next) => {
          secrets.take(next.secrets);
          watch.configure(next.logging);
          void log.configure(logOptions(next.logging, options));
          proxy.adjust({
            onCorrupt: next.http.onCorrupt,
            debugHeaders: next.http.debugHeaders,
            connections: next.limits.connectionsMax,
            bytesInFlight: next.limits.bytesInFlightMax,
            connectionBytes: next.limits.connectionBytesMax,
          });
        });
      },
    };
  });
}

function httpPlace({ http }: ProxyConfig): OwnPlace {
  return { key: http.port === undefined ? 'http.listen' : 'http.port', address: http.listen };
}

function keysOf(config: ProxyConfig): RoleKeys {
  const { rdma, memory } = config;
  const { deviceName, tls } = rdma;
  const isUcx = rdma.mode !== 'off' && rdma.transport !== 'inproc';
  return {
    places: placesOf(config),
    fabric: {
      dirs: [{ key: 'rdma.dirs', paths: rdma.dirs }],
      memory: { key: 'memory.size', bytes: memory.bytes },
      hugepagesKey: 'memory.hugepages',
      ucx: isUcx ? { deviceName, tls } : undefined,
    },
    descriptors: {
      key: 'limits.connections',
      count: config.limits.connectionsMax,
      dirs: rdma.transport === 'inproc' ? rdma.dirs : [],
    },
  };
}

function placesOf(config: ProxyConfig): StartPlace[] {
  const { admin, sidecar } = config;
  const { key, address } = httpPlace(config);
  return [
    placeOf('admin.listen', admin.listen),
    placeOf(key, address),
    ...[parseHostPort(sidecar.listen)].flatMap((address) =>
      address === undefined ? [] : [placeOf('sidecar.listen', address)],
    ),
  ];
}

/** Read at each use, so that they can be reloaded. */
interface Live {
  readonly readKey: () => string | undefined;
  readonly adminToken: () => string | undefined;
  readonly secrets: () => readonly string[];
  readonly configuration: ProxyOptions['admin']['configuration'];
}

function hedgeOptions({
  hedge,
  hedgeAfterMsMin: afterMsMin,
  hedgeAfterMsMax: afterMsMax,
  hedgePercentMax: percentMax,
}: ProxyConfig['rdma']): ProxyOptions['rdma']['hedging'] {
  return hedge === 'off' ? undefined : { afterMsMin, afterMsMax, percentMax };
}

const lanesMax = 8;

/** Half of the cores: the volume server and the target have work to do for what is not in the cache. */
function laneCount(lanes: ProxyConfig['http']['lanes']): number {
  if (lanes !== 'auto') return lanes;
  return Math.min(lanesMax, Math.max(1, Math.floor(availableParallelism() / 2)));
}

function proxyOptions(config: ProxyConfig, live: Live): ProxyOptions {
  const { http, rdma, cache, memory, limits, admin } = config;
  return {
    version: packageVersion(),
    http: {
      listen: http.listen,
      lane: http.lane,
      lanes: http.lane ? laneCount(http.lanes) : 0,
      laneAskersMin: http.laneAskersMin,
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
        bodyTimeoutMs: limits.bodyTimeoutMs,
        bodyBytesMin: limits.bodyBytesMin,
        upstreamConnectTimeoutMs: limits.upstreamConnectTimeoutMs,
        upstreamTimeoutMs: limits.upstreamTimeoutMs,
      },
    },
    volumeServers: config.volumeServers,
    readKey: live.readKey,
    rdma: { ...rdma, secret: live.secrets, hedging: hedgeOptions(rdma) },
    cache: {
      bytesMax: cache.bytesMax,
      decodedBytesMax: cache.decodedBytesMax,
      policyOf: (collection) => cache.collections[collection] ?? cache,
    },
    memory,
    needleBytesMax: limits.needleBytesMax,
    decodedBytesMax: limits.decodedBytesMax,
    decodingBytesMax: limits.decodingBytesMax,
    tokensMax: limits.tokensMax,
    requestsInFlightMax: limits.requestsInFlightMax,
    descriptorLimit: descriptorLimit(),
    sidecar: sidecarOptions(config),
    admin: {
      listen: admin.listen,
      enableCors: admin.enableCors,
      limits: admin,
      token: live.adminToken,
      configuration: live.configuration,
    },
  };
}
