/** A configuration file → what the doctor is told of it, also where the file cannot be used. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import {
  formatListen,
  type ListenAddress,
  parseHostPort,
  reachable,
} from '../../config/address.ts';
import { checkFile, type Role } from '../../config/check-file.ts';
import { ConfigError, type ConfigProblem } from '../../config/problem.ts';
import { loadProxyConfig, type ProxyConfig, type VolumeServer } from '../../config/proxy-config.ts';
import { loadTargetConfig, type TargetConfig } from '../../config/target-config.ts';
import type { SecretPath, Settings, Setup, TargetEndpoint } from './setup.ts';

export type ConfigurationPart = Pick<
  Setup,
  'role' | 'file' | 'problems' | 'warnings' | 'keysWritten' | 'secretPaths' | 'settings'
>;

export function readSetup(
  file: string | undefined,
  role: Role | undefined,
  environment: NodeJS.ProcessEnv,
): ConfigurationPart {
  const nothing = { problems: [], warnings: [], keysWritten: 0, secretPaths: [] };
  if (file === undefined) return { ...nothing, role, file, settings: undefined };
  try {
    const checked = checkFile(file, role, environment);
    const config =
      checked.role === 'target'
        ? loadTargetConfig(file, environment)
        : loadProxyConfig(file, environment);
    return {
      role: config.role,
      file,
      problems: [],
      warnings: checked.warnings,
      keysWritten: checked.keys.filter(({ from }) => !from.startsWith('default')).length,
      secretPaths: secretPaths(config),
      settings: config.role === 'target' ? targetSettings(config) : proxySettings(config),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      ...nothing,
      role: role ?? likelyRole(file),
      file,
      problems: error.problems.map(setupProblem),
      settings: undefined,
    };
  }
}

function setupProblem({ source, line, key, message }: ConfigProblem): Setup['problems'][number] {
  return { place: line === undefined ? source : `${source}:${line}`, key, message };
}

/** Guesses the role of a file that may not even be TOML. */
function likelyRole(file: string): Role | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  return /^\s*\[target\]/m.test(text) ? 'target' : 'proxy';
}

function secretPaths(config: ProxyConfig | TargetConfig): readonly SecretPath[] {
  const { rdma, admin } = config;
  const securityToml = config.role === 'proxy' ? config.securityToml : '';
  const paths: SecretPath[] = [
    { check: 'secret-file', key: 'rdma.secret_file', path: rdma.secretFile },
    { check: 'secret-file', key: 'rdma.second_secret_file', path: rdma.secondSecretFile },
    { check: 'secret-file', key: 'seaweedfs.security_toml', path: securityToml },
    { check: 'token-file', key: 'admin.token_file', path: admin.tokenFile },
  ];
  return paths.filter(({ path }) => path !== '');
}

function proxySettings(config: ProxyConfig): Settings {
  const { rdma, memory, volumeServers, limits, http, admin } = config;
  const isInproc = rdma.transport === 'inproc' && rdma.mode !== 'off';
  const isList = volumeServers.length > 1;
  return {
    role: 'proxy',
    mode: rdma.mode,
    transport: rdma.transport,
    isTlsOff: rdma.isTlsOff,
    deviceName: rdma.deviceName,
    rails: rdma.rails,
    tls: rdma.tls,
    isNetworkTrusted: rdma.isNetworkTrusted,
    connectTimeoutMs: rdma.connectTimeoutMs,
    secret: config.secrets,
    targets: volumeServers.flatMap(endpoint),
    targetKey: isList ? 'target of [[seaweedfs.volume_server]]' : 'rdma.target',
    volumeServers: volumeServers.map(({ url }) => url),
    volumeServerKey: isList ? 'url of [[seaweedfs.volume_server]]' : 'seaweedfs.volume_server_url',
    memory: {
      key: 'memory.size',
      bytes: memory.bytes,
      hugepagesKey: 'memory.hugepages',
      hugepages: memory.hugepages,
    },
    descriptors: { key: 'limits.connections', count: limits.connectionsMax },
    listeners: [
      { key: 'http.listen', address: http.listen },
      { key: 'admin.listen', address: admin.listen },
      ...sidecarListener(config.sidecar.listen),
    ],
    storage: isInproc
      ? { key: 'rdma.dirs', dirs: rdma.dirs, idxDirs: [], idxKey: 'rdma.dirs', unconfirmed: false }
      : undefined,
    tempFiles:
      config.sidecar.tempDir === ''
        ? undefined
        : { dir: config.sidecar.tempDir, bytesMax: config.sidecar.tempBytesMax },
    readKey: config.readKey,
    hasAdminToken: config.adminToken !== undefined,
    admin: { address: formatListen(reachable(admin.listen)), token: config.adminToken },
    adminHost: hostOf(admin.listen),
    insecure: false,
  };
}

/** '' says that there is none. */
function sidecarListener(listen: string): Settings['listeners'] {
  const address = parseHostPort(listen);
  return address === undefined ? [] : [{ key: 'sidecar.listen', address }];
}

function endpoint({ url, target, targetAddresses = [] }: VolumeServer): TargetEndpoint[] {
  const address = target === undefined ? undefined : parseHostPort(target);
  const places = targetAddresses.flatMap((text) => parseHostPort(text) ?? []);
  return address === undefined ? [] : [{ ...address, volumeServerUrl: url, places }];
}

function targetSettings(config: TargetConfig): Settings {
  const { rdma, target, admin } = config;
  const url = target.unconfirmed ? undefined : target.volumeServerUrl;
  const host = reachedAt(rdma.listen);
  return {
    role: 'target',
    mode: 'prefer',
    transport: rdma.transport,
    isTlsOff: rdma.isTlsOff,
    deviceName: rdma.deviceName,
    rails: rdma.keepsDevice ? rdma.deviceName.split(',') : [],
    tls: rdma.tls,
    isNetworkTrusted: rdma.isNetworkTrusted,
    listenHost: rdma.listen,
    connectTimeoutMs: 2000,
    secret: config.secrets,
    targets: rdma.port === 0 ? [] : [{ host, port: rdma.port, volumeServerUrl: url }],
    targetKey: 'rdma.listen and rdma.port',
    volumeServers: url === undefined ? [] : [url],
    volumeServerKey: 'target.volume_server_url',
    memory: {
      key: 'rdma.buffer_size',
      bytes: rdma.bufferBytes,
      hugepagesKey: 'rdma.hugepages',
      hugepages: rdma.hugepages,
    },
    descriptors: { key: 'rdma.max_sessions', count: rdma.maxSessions },
    listeners: [
      { key: 'rdma.port', address: { host: rdma.listen, port: rdma.port } },
      { key: 'admin.listen', address: admin.listen },
    ],
    storage: {
      key: 'target.dirs',
      dirs: target.dirs,
      idxDirs: target.idxDirs,
      idxKey: 'target.idx_dirs',
      unconfirmed: target.unconfirmed,
    },
    tempFiles: undefined,
    readKey: undefined,
    hasAdminToken: config.adminToken !== undefined,
    admin: { address: formatListen(reachable(admin.listen)), token: config.adminToken },
    adminHost: hostOf(admin.listen),
    insecure: rdma.insecure,
  };
}

/** The doctor runs beside the target. UCX's TCP has no IPv6 on loopback. */
function reachedAt(listen: string): string {
  if (listen === '0.0.0.0') return '127.0.0.1';
  if (listen !== '::') return listen;
  const own = Object.values(networkInterfaces()).flatMap((rows) => rows ?? []);
  const global = own.find(
    ({ family, internal, address }) =>
      family === 'IPv6' && !internal && !address.startsWith('fe80:'),
  );
  return global?.address ?? '::1';
}

function hostOf(listen: ListenAddress): string | undefined {
  return 'host' in listen ? listen.host : undefined;
}
