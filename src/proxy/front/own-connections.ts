/**
 * Connections that this process made to its own listener, for the admin API: their answers say who gave them, whatever
 * `debug_headers` says. Known by the addresses of their two ends, which no other connection can have while they are
 * open.
 */
import type { Socket } from 'node:net';
import type { ClientEnd } from '../../needle/request-record.ts';

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

  /** `socket` was accepted by the listener, and is open. */
  clientOf(socket: Socket): ClientEnd {
    const { remoteAddress, remotePort } = socket;
    const end = this.#ends.size === 0 ? undefined : endOf(remoteAddress, remotePort);
    const isOwn = end !== undefined && this.#ends.has(end);
    return { address: plainAddress(remoteAddress), isOwn };
  }
}

/** A listener for both families sees IPv4 addresses as IPv6 ones. */
function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, '') ?? '';
}

/** undefined: a unix socket has no such ends. */
function endOf(address: string | undefined, port: number | undefined): string | undefined {
  return port === undefined ? undefined : `${plainAddress(address)} ${port}`;
}
