/** A client that asks, and reads nothing until it is told to. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export async function stuckReader(port: number, path: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return socket;
}
