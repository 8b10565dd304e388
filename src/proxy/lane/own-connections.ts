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
      this.#ends.add(end);
      socket.once('close', () => this.#ends.delete(end));
    });
  }

  /** `socket` was accepted by the listener. */
  has(socket: Socket): boolean {
    return this.#ends.size > 0 && this.#ends.has(endOf(socket.remoteAddress, socket.remotePort));
  }
}

/** A listener for both families sees IPv4 addresses as IPv6 ones. A unix socket has no ends to tell it by. */
function endOf(address: string | undefined, port: number | undefined): string {
  return port === undefined ? '' : `${address?.replace(/^::ffff:/, '')} ${port}`;
}
