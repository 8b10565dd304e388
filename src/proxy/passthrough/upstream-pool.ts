/** The relay's connections to one volume server: the one used last goes out first, and more than the bound wait. */
import { connect, type Socket } from 'node:net';
import { addressOf } from '../../http1/upstream-address.ts';
import type { PoolStatus } from '../front/pool-status.ts';
import { idleConnectionMs, idleConnectionsMax } from './forwarding.ts';

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

/** The request that uses the connection. */
export interface ConnectionUser {
  /**
   * @param bytes valid during the call, and until their memory is given back where it was lent
   * @returns false: another reader still looks at the bytes
   */
  received(bytes: Buffer, memory: ReadMemory): boolean;
  /** The connection takes more. */
  writable(): void;
  /** Called when the connection is gone. `error` undefined: the volume server closed it in good order. */
  upstreamGone(error: NodeJS.ErrnoException | undefined): void;
}

export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
}

/** Smaller ones cost less than freeing them does. */
const freedBytesMin = 16_384;

/**
 * One connection to a volume server: carries one request at a time and knows whose the bytes are that come. It reads
 * into memory of its own; bytes that no request waits for end it.
 */
export class UpstreamConnection {
  user: ConnectionUser | undefined;
  isConnected = false;
  /** True if the connection has answered before: if it dies then, it may have been closed for idleness. */
  isUsed = false;
  /** Since it was opened or given back; counted by the pool. */
  ticks = 0;
  readonly #socket: Socket;
  readonly #onGone: (connection: UpstreamConnection) => void;
  #error: NodeJS.ErrnoException | undefined;
  #isGone = false;
  #memory = ReadMemory.take();

  constructor(address: UpstreamAddress, onGone: (connection: UpstreamConnection) => void) {
    this.#onGone = onGone;
    this.#socket = connect({
      ...address,
      noDelay: true,
      keepAlive: true,
      onread: {
        // Called before each read, and anew for each address that is tried.
        buffer: () => this.#memory.bytes,
        callback: (byteCount) => this.#received(byteCount),
      },
    });
    this.#socket.on('connect', () => {
      this.isConnected = true;
    });
    this.#socket.on('drain', () => this.user?.writable());
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('end', () => this.#gone(undefined));
    this.#socket.on('close', () => this.#gone(this.#error));
  }

  /** Handed to the socket, and not sent yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** False: wait for `writable`. */
  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes);
  }

  /** Works like `write`, for memory that no other code looks at: large pieces are freed when they have left. */
  writeOwned(bytes: Buffer): boolean {
    return bytes.length < freedBytesMin
      ? this.#socket.write(bytes)
      : this.#socket.write(bytes, () => freeAtOnce(bytes));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Without a word to its user. Idempotent. */
  destroy(): void {
    this.user = undefined;
    this.#gone(undefined);
  }

  #received(byteCount: number): boolean {
    if (this.user === undefined) {
      this.destroy();
      return true;
    }
    const memory = this.#memory;
    const isFree = this.user.received(memory.bytes.subarray(0, byteCount), memory);
    if (!isFree || memory.wasLent) this.#memory = ReadMemory.take();
    return true;
  }

  #gone(error: NodeJS.ErrnoException | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const { user } = this;
    this.user = undefined;
    this.#socket.destroy();
    user?.upstreamGone(error);
    this.#onGone(this);
  }
}

/** One read; pages that were never read into are not resident. */
const memoryBytes = 262_144;
/** Kept for later; more are left to the collector. */
const spareCountMax = 64;
const spare: ReadMemory[] = [];

/**
 * Memory for reading, used again and again: V8 answers what adds up outside of the heap with collections of the whole
 * heap, and these cost large bodies more than everything else.
 */
export class ReadMemory {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(memoryBytes);
  /** True once lent: the reader must take another memory, also where this one was given back already. */
  wasLent = false;

  static take(): ReadMemory {
    const memory = spare.pop() ?? new ReadMemory();
    memory.wasLent = false;
    return memory;
  }

  /** Once: it is not read into until what is returned was called, once. */
  lend(): () => void {
    this.wasLent = true;
    return this.#giveBack;
  }

  readonly #giveBack = (): void => {
    if (spare.length < spareCountMax) spare.push(this);
  };
}

/** Bytes that are all of their memory, and that no code looks at any more. */
export function freeAtOnce({ buffer, byteLength }: Buffer): void {
  if (byteLength === buffer.byteLength) (buffer as ArrayBuffer).transfer(0);
}
