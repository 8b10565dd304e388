/** Which ways of reading a comparison takes: those of the options, and those that a configuration file names. */
import { formatHostPort, type ListenAddress } from '../../config/address.ts';
import { checkFile } from '../../config/check-file.ts';
import { loadProxyConfig } from '../../config/proxy-config.ts';
import { loadTargetConfig } from '../../config/target-config.ts';
import { exitCodes } from '../exit-codes.ts';
import type { FabricOptions } from '../fabric/fabric.ts';
import { type FabricFlags, fabricOptions } from '../fabric/fabric-options.ts';
import { note } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';
import type { PathSpec } from './path.ts';

/** UCX_TLS for each; connections are made over TCP whatever carries the data. */
export const tlsOf = {
  tcp: 'tcp,self',
  shm: 'tcp,posix,sysv,cma,self',
  rdma: 'rc,dc,ud,self',
} as const;
export type Transport = keyof typeof tlsOf;

export interface PathFlags extends FabricFlags {
  readonly http?: string;
  readonly proxy?: string;
  readonly transports?: readonly Transport[];
}

/** The servers around a configuration, as its file names them. */
export interface Surroundings {
  /** Empty: none is named. */
  readonly volumeServers: readonly string[];
  /** undefined: a target's file names no proxy. */
  readonly proxy: string | undefined;
  readonly readKey: string | undefined;
  readonly hasTarget: boolean;
  /** A volume server's directories on this machine. */
  readonly dirs: readonly string[];
}

/** @throws ConfigError */
export function surroundingsOf(file: string | undefined): Surroundings {
  if (file === undefined) {
    return { volumeServers: [], proxy: undefined, readKey: undefined, hasTarget: true, dirs: [] };
  }
  if (checkFile(file, undefined, process.env).role === 'target') {
    const { target } = loadTargetConfig(file, process.env);
    const volumeServers = target.volumeServerUrl === '' ? [] : [target.volumeServerUrl];
    const { dirs } = target;
    return { volumeServers, proxy: undefined, readKey: undefined, hasTarget: true, dirs };
  }
  const config = loadProxyConfig(file, process.env);
  const { http, rdma, volumeServers, readKey } = config;
  return {
    volumeServers: volumeServers.map(({ url }) => url),
    proxy: urlOf(http.listen),
    readKey,
    hasTarget:
      rdma.transport === 'inproc' || volumeServers.some(({ target }) => target !== undefined),
    dirs: rdma.transport === 'inproc' ? rdma.dirs : [],
  };
}

/** Where a listener is reached from its own machine. */
function urlOf(listen: ListenAddress): string | undefined {
  if ('path' in listen || listen.port === 0) {
    note('the proxy is left out: http.listen is no port that is known beforehand');
    return undefined;
  }
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[listen.host] ?? listen.host;
  return `http://${formatHostPort({ host, port: listen.port })}`;
}

/** Options win over the file. */
export function pathsOf(flags: PathFlags, around: Surroundings): PathSpec[] {
  const { readKey } = around;
  const [server, ...servers] = flags.http === undefined ? around.volumeServers : [flags.http];
  const proxy = flags.proxy ?? around.proxy;
  const paths: PathSpec[] = [];
  if (server !== undefined) {
    paths.push({ name: 'http', place: { kind: 'http', urls: [server, ...servers], readKey } });
  }
  if (proxy !== undefined) {
    paths.push({ name: 'proxy', place: { kind: 'http', urls: [proxy], readKey } });
  }
  const fabric = around.hasTarget ? fabricOptions(flags) : undefined;
  if (flags.transports !== undefined) paths.push(...transportPaths(flags.transports, fabric));
  else if (fabric !== undefined) {
    paths.push(fabricPath(fabric.kind === 'ucx' ? 'target' : 'inproc', fabric));
  }
  if (paths.length > 0) return paths;
  throw new ToolFailure('what? Give --http, --proxy, --target or --config', exitCodes.usage);
}

function transportPaths(
  transports: readonly Transport[],
  fabric: FabricOptions | undefined,
): PathSpec[] {
  if (fabric?.kind === 'ucx') {
    return transports.map((name) => fabricPath(name, { ...fabric, tls: tlsOf[name] }));
  }
  throw new ToolFailure('--transports of which target? Give --target or --config', exitCodes.usage);
}

function fabricPath(name: string, fabric: FabricOptions): PathSpec {
  return { name, place: { kind: 'fabric', fabric } };
}
