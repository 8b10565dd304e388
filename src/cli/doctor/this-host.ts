/** A target or server that is surely on this machine. */
export function isOnThisHost(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '::1' || host === 'inproc';
}
