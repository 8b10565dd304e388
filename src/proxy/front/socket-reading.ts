/** Makes a socket of Node's leave its bytes in the kernel, for another reader, and read them again. */
import type { Socket } from 'node:net';

/** libuv's handle of a socket. No public interface of Node stops a flowing socket before its next read. */
interface Handle {
  readonly fd?: number;
  readonly reading?: boolean;
  readStart(): number;
  readStop(): number;
}

function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null };
  return handle ?? undefined;
}

/** Returns the descriptor, which stays the socket's; undefined: it is closed, or there is none. */
export function stopReading(socket: Socket): number | undefined {
  const handle = handleOf(socket);
  const fd = handle?.fd ?? -1;
  if (handle === undefined || fd < 0 || socket.destroyed || socket.readableEnded) return undefined;
  // The stream asks for more in a moment; it starts no handle that is said to be reading.
  if (handle.reading !== true || handle.readStop() !== 0) return undefined;
  return fd;
}

/** Bytes that are there, and their end, come as 'data' and 'end' again. */
export function startReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle === undefined || socket.destroyed) return;
  if (handle.readStart() !== 0) socket.destroy();
}
