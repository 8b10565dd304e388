/**
 * One connection to a volume server: carries one request at a time and knows whose the bytes are that come. It reads
 * into memory of its own; bytes that nobody waits for end it.
 */
import { connect, type Socket } from 'node:net';

/** Whoever has the connection. */
export interface ConnectionUser {
  /**
   * @param bytes valid during the call, or as long as wanted where it returns false
   * @returns the memory may be read into again
   */
  received(bytes: Buffer): boolean;
  /** The connection takes more. */
  writable(): void;
  /** It is gone. `error` undefined: the volume server closed it in good order. */
  upstreamGone(error: NodeJS.ErrnoException | undefined): void;
}

export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
}

/** One read; memory that was never read into is not resident. */
const readBytes = 65_536;

export class UpstreamConnection {
  user: ConnectionUser | undefined;
  isConnected = false;
  /** It has answered before: if it dies now, it may have been closed for idleness. */
  isUsed = false;
  /** Since it was opened or given back; counted by the pool. */
  ticks = 0;
  readonly #socket: Socket;
  readonly #onGone: (connection: UpstreamConnection) => void;
  #error: NodeJS.ErrnoException | undefined;
  #isGone = false;
  /** For the next read; undefined: the same as for the last one. */
  #nextMemory: Buffer | undefined = Buffer.allocUnsafeSlow(readBytes);

  constructor(address: UpstreamAddress, onGone: (connection: UpstreamConnection) => void) {
    this.#onGone = onGone;
    this.#socket = connect({
      ...address,
      noDelay: true,
      keepAlive: true,
      onread: {
        buffer: () => this.#memory() as Buffer,
        callback: (byteCount, memory) => this.#received(byteCount, memory as Buffer),
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

  #memory(): Buffer | undefined {
    const memory = this.#nextMemory;
    this.#nextMemory = undefined;
    return memory;
  }

  #received(byteCount: number, memory: Buffer): boolean {
    if (this.user === undefined) {
      this.destroy();
      return true;
    }
    const isFree = this.user.received(memory.subarray(0, byteCount));
    if (!isFree) this.#nextMemory = Buffer.allocUnsafeSlow(readBytes);
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
