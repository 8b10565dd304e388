/**
 * Connections that this process made to its own listener, for the admin API: their answers say who gave them, whatever
 * `debug_headers` says. Known by the addresses of their two ends, which nobody else can have while they are open.
 */
import type { Socket } from 'node:net';

export class OwnConnections {
  readonly #ends = new Set<string>();

  /** `socket` is being connected to the listener by this process. */
  made(socket: Socket): void {
    socket.once('connect', () => {
      const end = endOf(socket.localAddress, socket.localPort);
      if (end === undefined) return;
      this.#ends.add(end);
      socket.once('close', () => this.#ends.delete(end));
    });
  }

  /** `socket` was accepted by the listener. */
  has(socket: Socket): boolean {
    if (this.#ends.size === 0) return false;
    const end = endOf(socket.remoteAddress, socket.remotePort);
    return end !== undefined && this.#ends.has(end);
  }
}

/** A listener for both families sees IPv4 addresses as IPv6 ones. undefined: a unix socket has no such ends. */
function endOf(address: string | undefined, port: number | undefined): string | undefined {
  return port === undefined ? undefined : `${address?.replace(/^::ffff:/, '')} ${port}`;
}
