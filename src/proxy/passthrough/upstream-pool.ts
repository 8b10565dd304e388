/** The relay's connections to one volume server: the one used last goes out first, and more than the bound wait. */
import { addressOf } from '../../http1/upstream-address.ts';
import { idleConnectionMs, idleConnectionsMax } from './forwarding.ts';
import type { PoolStatus } from './pool-status.ts';
import {
  type ConnectionUser,
  type UpstreamAddress,
  UpstreamConnection,
} from './upstream-connection.ts';

export interface PoolUser extends ConnectionUser {
  /** Has the connection from now on, until it gives it back or destroys it. */
  given(connection: UpstreamConnection): void;
  /** Called every `tickMs` while it waits for a connection, or has one. */
  tick(): void;
}

/** How finely silence and idleness are told: one timer for all, and none per request. */
export const tickMs = 500;

export class UpstreamPool {
  readonly #address: UpstreamAddress;
  readonly #connectionsMax: number;
  readonly #connections = new Set<UpstreamConnection>();
  /** Used last, last. */
  readonly #idle: UpstreamConnection[] = [];
  /** Connections given back and not looked at since: bytes that have come on them by then belong to no request. */
  #resting: UpstreamConnection[] = [];
  readonly #waiting: PoolUser[] = [];
  readonly #upstreamUrl: string;
  #sentOnNew = 0;
  #sentOnReused = 0;

  constructor(upstreamUrl: string, connectionsMax: number) {
    this.#upstreamUrl = upstreamUrl;
    this.#address = addressOf(upstreamUrl);
    this.#connectionsMax = connectionsMax;
  }

  /** True if nothing is open and no request waits. */
  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#waiting.length === 0;
  }

  get status(): PoolStatus {
    return {
      upstream: this.#upstreamUrl,
      connections: this.#connections.size,
      idle: this.#idle.length + this.#resting.length,
      waiting: this.#waiting.length,
      sentOnNew: this.#sentOnNew,
      sentOnReused: this.#sentOnReused,
    };
  }

  acquire(user: PoolUser): void {
    const idle = this.#idle.pop();
    if (idle !== undefined) this.#give(idle, user);
    else if (this.#waiting.length < this.#resting.length) this.#waiting.push(user);
    else if (this.#connections.size < this.#connectionsMax) this.open(user);
    else this.#waiting.push(user);
  }

  /** Whatever the bound says: for a request whose connection has just died. */
  open(user: PoolUser): void {
    const connection = new UpstreamConnection(this.#address, this.#onGone);
    this.#connections.add(connection);
    this.#give(connection, user);
  }

  /** A connection whose answer is complete. It goes out again when the sockets were looked at: until then, bytes end it. */
  giveBack(connection: UpstreamConnection): void {
    connection.user = undefined;
    connection.isUsed = true;
    connection.ticks = 0;
    // The first turn of the loop is the one in hand; in the second one the sockets are polled first.
    if (this.#resting.push(connection) === 1) setImmediate(() => setImmediate(this.#endRest));
  }

  readonly #endRest = (): void => {
    const rested = this.#resting;
    this.#resting = [];
    for (const connection of rested) {
      if (!this.#connections.has(connection)) continue;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#give(connection, next);
      else this.#idle.push(connection);
    }
    while (this.#idle.length > idleConnectionsMax) this.#idle[0]?.destroy();
  };

  /** Waits no longer. */
  forget(user: PoolUser): void {
    const at = this.#waiting.indexOf(user);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Called every `tickMs`. */
  tick(): void {
    for (const connection of this.#connections) {
      connection.ticks += 1;
      const { user } = connection;
      if (user !== undefined) (user as PoolUser).tick();
      else if (connection.ticks > idleConnectionMs / tickMs) connection.destroy();
    }
    for (const user of [...this.#waiting]) user.tick();
  }

  close(): void {
    this.#waiting.length = 0;
    for (const connection of this.#connections) connection.destroy();
  }

  #give(connection: UpstreamConnection, user: PoolUser): void {
    connection.user = user;
    connection.ticks = 0;
    if (connection.isUsed) this.#sentOnReused += 1;
    else this.#sentOnNew += 1;
    user.given(connection);
  }

  readonly #onGone = (connection: UpstreamConnection): void => {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#connections.size >= this.#connectionsMax) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.open(next);
  };
}
