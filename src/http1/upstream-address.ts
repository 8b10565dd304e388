import { urlToHttpOptions } from 'node:url';

/** Where a socket must go for this URL; IPv6 without its brackets. */
export function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = urlToHttpOptions(new URL(url));
  return { host: hostname ?? '', port: Number(port ?? 80) };
}
