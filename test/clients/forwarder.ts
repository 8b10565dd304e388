/**
 * A relay of TCP connections: the volume server's gRPC port at the address that it announces, and, for recordings, its
 * HTTP port with an ear on what clients send.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface ForwarderOptions {
  readonly host: string;
  readonly port: number;
  readonly toHost: string;
  readonly toPort: number;
  /** Hears the bytes of each connection's client; `connection` counts from 0. */
  readonly onClientBytes?: (connection: number, bytes: Buffer) => void;
}

export class Forwarder {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static start(options: ForwarderOptions): Promise<Forwarder> {
    const { host, port, toHost, toPort, onClientBytes } = options;
    let connections = 0;
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const number = connections;
      connections += 1;
      const upstream = connect({ host: toHost, port: toPort, allowHalfOpen: true });
      if (onClientBytes !== undefined) {
        client.on('data', (bytes: Buffer) => onClientBytes(number, bytes));
      }
      forwarder.#join(client, upstream);
      forwarder.#join(upstream, client);
    });
    const forwarder = new Forwarder(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve(forwarder));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
