/** The descriptor of a socket of Node's, for the native part, which makes a copy of it. */
import type { Socket } from 'node:net';

/** undefined: the socket is closed. No public interface of Node tells it; libuv's handles have it in every release. */
export function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
