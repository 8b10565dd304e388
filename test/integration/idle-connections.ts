/** Clients that connect and say too little: what a test of the bounds has to hold open. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface IdleConnections {
  /** Those that nobody has ended yet. */
  readonly open: number;
  close(): void;
}

export interface IdleOptions {
  readonly port: number;
  readonly count: number;
  readonly host?: string;
  /** The address that they come from. */
  readonly from?: string;
  /** What each says, once; nothing where it is empty. */
  readonly says?: Buffer | string;
}

/** Resolves when all are connected. */
export async function holdConnections(options: IdleOptions): Promise<IdleConnections> {
  const { port, count, host = '127.0.0.1', from = '127.0.0.1', says = '' } = options;
  const open = new Set<Socket>();
  const connecting = Array.from({ length: count }, async () => {
    const socket = connect({ host, port, localAddress: from });
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    open.add(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    socket.resume();
    if (says.length > 0) socket.write(says);
  });
  await Promise.all(connecting);
  return {
    get open() {
      return open.size;
    },
    close: () => {
      for (const socket of open) socket.destroy();
    },
  };
}
