/** Addresses in configuration files: host:port, unix:/path and http URLs. */
import { isIP } from 'node:net';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A listen address as node:net takes it. */
export type ListenAddress = HostPort | { readonly path: string };

/**
 * ECMAScript regular expressions that every address taken here matches, for JSON Schema, which cannot say the rest: how
 * high a port may be, what an IP address is.
 */
export const hostPortPattern = '^(?:\\[[^\\]]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$';
export const hostPattern = '^[A-Za-z0-9.:-]+(?:%.+)?$';
export const listenPattern = '^(?:unix:/|(?:\\[[^\\]]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$)';
/** Or empty, where that says "none". */
export const httpOriginPattern = '^(?:http://[^\\s/?#@]+/?)?$';

const socketPathBytesMax = 107; // sun_path of Linux, without its closing zero

/** `"127.0.0.1:80"`, `"[::1]:80"`, `"node1:80"`; undefined when it is none of these. IPv6 brackets are removed. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, name, digits] = match;
  const host = ipv6 ?? name ?? '';
  if (!isHost(host) || (ipv6 !== undefined && isIP(ipv6) !== 6)) return undefined;
  const port = Number(digits);
  return port <= 65535 ? { host, port } : undefined;
}

/** host:port, or `unix:/absolute/path`. */
export function parseListen(text: string): ListenAddress | undefined {
  if (!text.startsWith('unix:')) return parseHostPort(text);
  const path = text.slice('unix:'.length);
  if (!path.startsWith('/') || Buffer.byteLength(path) > socketPathBytesMax) return undefined;
  return { path };
}

/** A host name or an IP address. */
export function isHost(text: string): boolean {
  // An address of one link alone (fe80::1%eth0) fits no URL, and UCX's TCP does not reach it.
  if (isIP(text) !== 0) return !text.includes('%');
  if (/^[\d.]+$/.test(text)) return false;
  return text.length <= 253 && /^(?!-)[A-Za-z0-9-]+(\.(?!-)[A-Za-z0-9-]+)*\.?$/.test(text);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** "::ffff:127.0.0.1" and its other spellings → "127.0.0.1"; undefined: the host is not IPv4 written as IPv6. */
export function ipv4Within(host: string): string | undefined {
  if (isIP(host) !== 6 || !URL.canParse(`http://[${host}]`)) return undefined;
  const { hostname } = new URL(`http://[${host}]`);
  const words = /^\[::ffff:([\da-f]+):([\da-f]+)\]$/.exec(hostname)?.slice(1);
  const numbers = words?.map((word) => Number.parseInt(word, 16));
  return numbers?.flatMap((number) => [number >> 8, number & 0xff]).join('.');
}

export function formatHostPort(address: HostPort): string {
  return isIP(address.host) === 6
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

export function formatListen(address: ListenAddress): string {
  return 'path' in address ? `unix:${address.path}` : formatHostPort(address);
}

/** `http://host[:port]` without path, query or user, as origin; else undefined. */
export function parseHttpOrigin(text: string): string | undefined {
  // The URL parser forgives what would be a slip of the pen here: spaces, missing slashes.
  if (!new RegExp(httpOriginPattern).test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.pathname === '/' ? url.origin : undefined;
}

/** Returns the address to connect to; a listener on every address is reached on loopback. */
export function reachable(listen: ListenAddress): ListenAddress {
  if (!('host' in listen)) return listen;
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  return { ...listen, host };
}
