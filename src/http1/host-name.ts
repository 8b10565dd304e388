/**
 * Judges the name in a Host header: a page of another site can have a visitor's browser ask a listener on the visitor's
 * machine, by a name that it made point there (DNS rebinding), or by an address such as 0.0.0.0 or ::ffff:127.0.0.1.
 * With these two, browsers leave Sec-Fetch-Site out and the page hides Referer: browsers trust 127.0.0.0/8, ::1 and
 * localhost alone.
 */
import { isIP } from 'node:net';

/** `address`: a literal one that is not this listener's. `name`: any other, which may be a page's. */
export type HostName = 'own' | 'address' | 'name';

/**
 * A connection that arrived at a loopback address asks for one of loopback. Elsewhere it may ask for any address, since
 * a Kubernetes Service or another NAT may stand before the one that was reached.
 *
 * @param arrivedAt the local address of the connection; undefined: it is gone
 */
export function hostNameOf(host: string | undefined, arrivedAt: string | undefined): HostName {
  const name = hostOf(host ?? '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return 'own';
  if (isIP(name) === 0) return 'name';
  const address = canonical(name);
  if (isLoopback(address)) return 'own';
  const reached = arrivedAt?.replace(/^::ffff:(?=\d+\.)/, '') ?? '::1';
  return isLoopback(reached) || isAlias(address) ? 'address' : 'own';
}

/** "[::1]:80" → "::1". A port may be missing. */
export function hostOf(address: string): string {
  return address.replace(/:\d*$/, '').replace(/^\[|\]$/g, '');
}

/** Tests for 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Tests for the unspecified address, which Linux takes to loopback, and for IPv4 in the form of IPv6. */
function isAlias(address: string): boolean {
  return /^(?:0\.|::$|::(?:ffff:)?[\da-f]+:[\da-f]+$)/.test(address);
}

function canonical(address: string): string {
  const url = `http://[${address}]`;
  if (isIP(address) === 4 || !URL.canParse(url)) return address;
  return new URL(url).hostname.slice(1, -1);
}
