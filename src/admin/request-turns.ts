/** Requests wait for their turns as long as their connections are open: what was closed costs no turn, and no memory until then. */
import type { Socket } from 'node:net';
import { Turnstile } from '../connections/turnstile.ts';

export class RequestTurns {
  /** One request a turn. */
  readonly #turnstile = new Turnstile(0);
  readonly #waiting = new WeakMap<Socket, Set<() => void>>();

  /** Resolves in the request's turn, or when the connection has closed. */
  wait(socket: Socket): Promise<void> {
    if (socket.destroyed) return Promise.resolve();
    const waiting = this.#waitingOn(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      this.#turnstile.forget(place);
      waiting.delete(end);
      resolve();
    };
    const place = this.#turnstile.wait(end);
    waiting.add(end);
    return promise;
  }

  #waitingOn(socket: Socket): Set<() => void> {
    const known = this.#waiting.get(socket);
    if (known !== undefined) return known;
    const waiting = new Set<() => void>();
    this.#waiting.set(socket, waiting);
    socket.once('close', () => {
      for (const end of waiting) end();
    });
    return waiting;
  }
}
