/** Ends a client's connection so that the client cannot take what it has got for a whole answer. */
import type { Socket } from 'node:net';

/** Unix sockets have no reset, and Node cannot reset a socket whose end is on its way: both are destroyed. */
export function reset(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished;
  if (isEnding || socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

/** Ends the socket as soon as all bytes have left: until then it can be reset. */
export function endWhenSent(socket: Socket): void {
  if (socket.writableLength === 0) socket.end();
  else socket.write('', () => socket.end());
}
