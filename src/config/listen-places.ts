/** Where a role listens, against where its other listeners are and where it sends requests itself. */
import { networkInterfaces } from 'node:os';
import { formatListen, type HostPort, isLoopback, type ListenAddress } from './address.ts';
import type { Problems } from './settings.ts';

export interface ListenPlace {
  /** The key, as in `http.listen`. */
  readonly key: string;
  /** undefined: there is no such listener. */
  readonly address: ListenAddress | undefined;
}

/** A server that the role asks. */
export interface Peer {
  readonly key: string;
  /** "volume server" or "target". */
  readonly name: string;
  readonly address: HostPort | undefined;
}

/** Every pair of listeners that stand in each other's way, and every listener that the role would ask in a peer's place. */
export function checkPlaces(
  role: string,
  listeners: readonly ListenPlace[],
  peers: readonly Peer[],
  problems: Problems,
): void {
  listeners.forEach((listener, index) => {
    const other = listeners.slice(0, index).find((each) => isSamePlace(listener, each));
    if (other !== undefined) problems.add(...takenTwice(listener, other, problems));
  });
  for (const peer of peers) {
    for (const listener of listeners) {
      const relation = reachedAt(listener.address, peer.address);
      if (relation === 'no') continue;
      const text = selfText(role, listener, peer);
      if (relation === 'yes') problems.add(givenOf([listener.key, peer.key], problems), text);
      else problems.warnings.push(`${text} (if this is the machine that the file is for)`);
    }
  }
}

/** host:port of an http origin. */
export function addressOfUrl(url: string): HostPort | undefined {
  if (url === '' || !URL.canParse(url)) return undefined;
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}

function takenTwice(
  listener: ListenPlace,
  other: ListenPlace,
  problems: Problems,
): [key: string, message: string] {
  const [here, there] = [listener, other].map(({ address }) => shown(address));
  const at = here === there ? '' : ` ("${there}" takes "${here}" too)`;
  const key = givenOf([listener.key, other.key], problems);
  const second = key === listener.key ? other.key : listener.key;
  return [key, `is the address of ${second} too${at}: give each a port of its own`];
}

function selfText(role: string, listener: ListenPlace, peer: Peer): string {
  const [here, there] = [shown(listener.address), shown(peer.address)];
  const both =
    here === there
      ? `${there} is both ${listener.key} and ${peer.key}`
      : `${listener.key} = "${here}" listens at ${there} too, which is ${peer.key}`;
  return `${both}: the ${role} would ask itself in the ${peer.name}'s place. Set ${listener.key} to another address or port, or ${peer.key} to where the ${peer.name} listens`;
}

/** Returns the one of two conflicting keys that was given. */
function givenOf(keys: readonly [string, string], problems: Problems): string {
  return keys.find((key) => problems.isGiven(key)) ?? keys[0];
}

function isSamePlace({ address: a }: ListenPlace, { address: b }: ListenPlace): boolean {
  if (a === undefined || b === undefined) return false;
  if ('path' in a || 'path' in b) return shown(a) === shown(b);
  if (a.port !== b.port || a.port === 0) return false;
  return sameHost(a.host, b.host) || covers(a.host, b.host) || covers(b.host, a.host);
}

/** maybe: only on the machine that this runs on, which need not be the one that the file is for. */
export function reachedAt(
  listener: ListenAddress | undefined,
  peer: HostPort | undefined,
): 'yes' | 'maybe' | 'no' {
  if (listener === undefined || peer === undefined || 'path' in listener) return 'no';
  const { host, port } = listener;
  if (port !== peer.port || port === 0) return 'no';
  if (sameHost(host, peer.host)) return 'yes';
  if (!covers(host, peer.host)) return 'no';
  if (isLoopback(peer.host) || isAny(peer.host)) return 'yes';
  return isOfThisMachine(peer.host) ? 'maybe' : 'no';
}

export function isOfThisMachine(host: string): boolean {
  if (isLoopback(host)) return true;
  const own = Object.values(networkInterfaces()).flat();
  return own.some((row) => row !== undefined && sameHost(row.address, host));
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** `::` takes IPv4 as well, as Linux is set up and Node listens; 0.0.0.0 takes no IPv6. */
function covers(any: string, host: string): boolean {
  return any === '::' || (any === '0.0.0.0' && !host.includes(':'));
}

function sameHost(a: string, b: string): boolean {
  const [left, right] = [a, b].map((host) => host.toLowerCase().replace(/\.$/, ''));
  if (left === right) return true;
  const both = [left, right];
  return both.includes('localhost') && (both.includes('127.0.0.1') || both.includes('::1'));
}

function shown(address: ListenAddress | undefined): string {
  return address === undefined ? '' : formatListen(address);
}
