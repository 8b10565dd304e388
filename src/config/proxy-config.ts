/** proxy.toml → the configuration of the proxy role: settings, checked against each other, and what files they name. */
import { parseHostPort } from './address.ts';
import { checkAdmin } from './admin-settings.ts';
import { memoryBytes } from './cache-size.ts';
import { type Adjustments, type EffectiveKey, listKeys } from './effective-keys.ts';
import type { Field } from './field.ts';
import { refuseOtherRole } from './file-role.ts';
import { freeze } from './freeze.ts';
import { checkHedge } from './hedge-settings.ts';
import { addressOfUrl, checkPlaces, type Peer } from './listen-places.ts';
import { type ProxySettings, proxySchema } from './proxy-schema.ts';
import { checkRails, firstOf, listOf, type OneOrMore, railsOf } from './rail-settings.ts';
import { readSecretFile, readSecrets, readSigningKey } from './secret-file.ts';
import { type ConfigSource, nameOfSource, type Problems, readSettings } from './settings.ts';
import { checkSidecar } from './sidecar-settings.ts';
import { formatSize, parseSize } from './units.ts';

export interface VolumeServer {
  readonly url: string;
  /** host:port; undefined: reads of this server pass through. */
  readonly target: string | undefined;
  /** Every address of the target, `target` first; absent: it has this one. With rails alone. */
  readonly targetAddresses?: readonly string[];
}

type WholeRdma = ProxySettings['rdma'];

export interface ProxyConfig extends Omit<ProxySettings, 'seaweedfs' | 'rdma'> {
  readonly role: 'proxy';
  readonly rdma: Omit<WholeRdma, 'deviceName' | 'target'> & {
    readonly target: string;
    /** UCX_NET_DEVICES: the devices of rails with commas between them. */
    readonly deviceName: string;
    /** Devices, each a way of its own to every target; empty: one way, over whatever `deviceName` allows. */
    readonly rails: readonly string[];
  };
  /** undefined: defaults and environment only. */
  readonly file: string | undefined;
  /** At least one. */
  readonly volumeServers: readonly VolumeServer[];
  readonly securityToml: string;
  /** SeaweedFS's jwt.signing.read.key. */
  readonly readKey: string | undefined;
  /** Shared with the targets: none, one, or two while they are being changed. */
  readonly secrets: readonly string[];
  /** The token that the admin listener asks for. */
  readonly adminToken: string | undefined;
  /** For the log. */
  readonly warnings: readonly string[];
  /** The effective values, key by key, for people: effectiveKeys(). */
  readonly keys: readonly EffectiveKey[];
}

/** @throws ConfigError with everything that is wrong. */
export function loadProxyConfig(source: ConfigSource, environment: NodeJS.ProcessEnv): ProxyConfig {
  refuseOtherRole('proxy', source);
  const read = readSettings(proxySchema, source, environment);
  const { settings, problems } = read;
  checkCombinations(settings, problems);
  const { volumeServerUrl, volumeServers, securityToml } = settings.seaweedfs;
  const { rdma } = settings;
  const hasTargets = rdma.mode !== 'off' && rdma.transport !== 'inproc';
  const config: ProxyConfig = {
    ...fitted(settings, problems),
    role: 'proxy',
    file: nameOfSource(source),
    http: { ...settings.http, listen: httpListen(settings) },
    rdma: {
      ...rdma,
      target: firstOf(rdma.target),
      deviceName: listOf(rdma.deviceName).join(','),
      rails: railsOf(rdma.deviceName),
    },
    volumeServers:
      volumeServers.length === 0
        ? [serverOf(volumeServerUrl, hasTargets ? rdma.target : '')]
        : volumeServers.map(({ url, target }) => serverOf(url, hasTargets ? target : '')),
    securityToml,
    readKey: readSigningKey('seaweedfs.security_toml', securityToml, problems),
    secrets: readSecrets(rdma, problems),
    adminToken: readSecretFile('admin.token_file', settings.admin.tokenFile, problems),
    warnings: problems.warnings,
    keys: listKeys(proxySchema, read, adjustments(settings, fitted(settings, problems))),
  };
  problems.throwIfAny();
  return freeze(config);
}

function serverOf(url: string, target: OneOrMore): VolumeServer {
  const targetAddresses = listOf(target);
  const [first = ''] = targetAddresses;
  const server = { url, target: first === '' ? undefined : first };
  return targetAddresses.length > 1 ? { ...server, targetAddresses } : server;
}

/** `port = 8080` is short for every address of this machine. */
function httpListen({ http }: ProxySettings): ProxySettings['http']['listen'] {
  return http.port === undefined ? http.listen : { host: '0.0.0.0', port: http.port };
}

/** A default bows to a smaller arena; what was written does not (checkCombinations). */
function fitted(settings: ProxySettings, problems: Problems): Omit<ProxySettings, 'seaweedfs'> {
  const { seaweedfs: _, ...rest } = settings;
  const { bytes } = settings.memory;
  const needleBytes = problems.isGiven('limits.needle_bytes')
    ? settings.limits.needleBytesMax
    : Math.min(settings.limits.needleBytesMax, bytes);
  return {
    ...rest,
    limits: { ...settings.limits, needleBytesMax: needleBytes },
  };
}

type Fit = Adjustments['fitted'][string];

/** Writes the value as the default is written, unless the arena has changed it. */
function bowed(bytes: number, { initial }: Field<number>, why: string): Fit {
  return parseSize(String(initial)) === bytes
    ? { value: initial, why: 'default' }
    : { value: formatSize(bytes), why };
}

function adjustments(
  { http, seaweedfs, rdma }: ProxySettings,
  { cache, limits }: Omit<ProxySettings, 'seaweedfs'>,
): Adjustments {
  const hasServerTables = seaweedfs.volumeServers.length > 0;
  return {
    fitted: {
      'cache.size': {
        value: proxySchema.cache.bytesMax.initial,
        why: `default: ${formatSize(cache.bytesMax)}, a quarter of the memory that there is, at most 4GiB`,
      },
      'limits.needle_bytes': bowed(
        limits.needleBytesMax,
        proxySchema.limits.needleBytesMax,
        'default, at most memory.size',
      ),
    },
    idle: [
      ...(http.port === undefined ? [] : ['http.listen']),
      ...(hasServerTables ? ['seaweedfs.volume_server_url'] : []),
      ...(hasServerTables || rdma.transport === 'inproc' ? ['rdma.target'] : []),
    ],
  };
}

function checkCombinations(settings: ProxySettings, problems: Problems): void {
  checkListeners(settings, problems);
  checkVolumeServers(settings, problems);
  checkTransport(settings, problems);
  checkHedge(settings.rdma, problems);
  checkRails(settings.rdma, targetKeys(settings), problems);
  checkSizes(settings, problems);
  checkSidecar(settings.sidecar, settings.seaweedfs.securityToml, problems);
  checkPlaces(
    'proxy',
    [
      { key: httpListenKey(settings), address: httpListen(settings) },
      { key: 'admin.listen', address: settings.admin.listen },
      { key: 'sidecar.listen', address: parseHostPort(settings.sidecar.listen) },
    ],
    peersOf(settings),
    problems,
  );
}

function httpListenKey({ http }: ProxySettings): string {
  return http.port === undefined ? 'http.listen' : 'http.port';
}

function peersOf({ seaweedfs, rdma }: ProxySettings): Peer[] {
  const { volumeServerUrl, volumeServers } = seaweedfs;
  const hasTargets = rdma.mode !== 'off' && rdma.transport !== 'inproc';
  const server = (key: string, url: string): Peer => ({
    key,
    name: 'volume server',
    address: addressOfUrl(url),
  });
  const targets = (key: string, addresses: OneOrMore): Peer[] =>
    listOf(addresses).map((text) => ({
      key,
      name: 'target',
      address: hasTargets ? parseHostPort(text) : undefined,
    }));
  if (volumeServers.length === 0) {
    return [
      server('seaweedfs.volume_server_url', volumeServerUrl),
      ...targets('rdma.target', rdma.target),
    ];
  }
  return volumeServers.flatMap((each, index) => {
    const key = `seaweedfs.volume_server.${index}`;
    return [server(`${key}.url`, each.url), ...targets(`${key}.target`, each.target)];
  });
}

/** Key → addresses of each target. */
function targetKeys({ seaweedfs, rdma }: ProxySettings): ReadonlyMap<string, OneOrMore> {
  const { volumeServers } = seaweedfs;
  if (volumeServers.length === 0) return new Map([['rdma.target', rdma.target]]);
  return new Map(
    volumeServers.map(({ target }, index) => [`seaweedfs.volume_server.${index}.target`, target]),
  );
}

function checkListeners(settings: ProxySettings, problems: Problems): void {
  if (problems.isGiven('http.port') && problems.isGiven('http.listen')) {
    problems.add('http.port', 'give http.listen or http.port, not both');
  }
  checkAdmin(settings.admin, problems);
}

function checkVolumeServers({ seaweedfs, rdma }: ProxySettings, problems: Problems): void {
  const { volumeServers } = seaweedfs;
  if (volumeServers.length === 0) {
    if (seaweedfs.volumeServerUrl === '') {
      problems.add('seaweedfs.volume_server_url', "is required: the volume server's URL");
    }
    return;
  }
  if (problems.isGiven('seaweedfs.volume_server_url')) {
    problems.add('seaweedfs.volume_server_url', 'give it or [[seaweedfs.volume_server]], not both');
  }
  if (problems.isGiven('rdma.target')) {
    problems.add('rdma.target', 'each [[seaweedfs.volume_server]] names its own target');
  }
  if (rdma.transport === 'inproc' && volumeServers.length > 1) {
    problems.add('rdma.transport', 'inproc reads the directories of one volume server only');
  }
  const needsTargets = rdma.mode !== 'off' && rdma.transport !== 'inproc';
  volumeServers.forEach(({ url }, index) => {
    const key = `seaweedfs.volume_server.${index}`;
    if (url === '') problems.add(`${key}.url`, 'is required');
    if (url !== '' && volumeServers.findIndex((other) => other.url === url) !== index) {
      problems.add(`${key}.url`, `"${url}" is listed twice`);
    }
    if (needsTargets && !problems.isGiven(`${key}.target`)) {
      problems.add(`${key}.target`, 'is required; "" says that no target runs beside this server');
    }
  });
}

function checkTransport({ rdma }: ProxySettings, problems: Problems): void {
  if (rdma.mode === 'off') return;
  if (rdma.transport === 'inproc' && rdma.dirs.length === 0) {
    problems.add(
      'rdma.dirs',
      'is required with transport "inproc": the volume server\'s -dir list',
    );
  }
  if (rdma.transport === 'inproc' && problems.isGiven('rdma.target')) {
    problems.add('rdma.target', 'is not for transport "inproc"');
  }
  if (rdma.transport === 'inproc') return;
  if (rdma.dirs.length > 0) problems.add('rdma.dirs', 'is for transport "inproc" only');
  if (rdma.simulatedLatencyMs > 0) {
    problems.add('rdma.simulated_latency', 'is for transport "inproc" only');
  }
}

function checkSizes({ cache, memory, limits }: ProxySettings, problems: Problems): void {
  const has = memoryBytes();
  if (cache.bytesMax > has) {
    problems.add('cache.size', `is larger than the memory that there is (${formatSize(has)})`);
  }
  if (limits.needleBytesMax > memory.bytes && problems.isGiven('limits.needle_bytes')) {
    problems.add('limits.needle_bytes', 'is larger than memory.size: no such needle would fit');
  }
  if (limits.connectionBytesMax > limits.bytesInFlightMax) {
    const written = problems.isGiven('limits.bytes_in_flight')
      ? 'bytes_in_flight'
      : 'connection_bytes';
    problems.add(`limits.${written}`, 'limits.connection_bytes is larger than bytes_in_flight');
  }
}
