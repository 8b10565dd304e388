/**
 * Stands between a socket and Node's HTTP server, and hands the client's bytes on in small pieces, as turns of the event loop have time for them.
 * Node's parser works through all that it is given at once: requests that it answers by itself, small chunks, and what stands behind a request
 * that ended the connection.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Turn, type Turnstile } from './turnstile.ts';

/** Some 170 chunks of one byte. A piece ends with a head, too: what stands behind it in a pipeline is parsed in its own turn, or never. */
const pieceBytes = 1_024;
/** A client that closed its sending side gets its answer if it comes this soon; most such clients are gone. */
export const halfClosedMs: number = 500;
const headEnd = '\r\n\r\n';

export class PacedConnection extends Duplex {
  readonly remoteAddress: string | undefined;
  /** A byte came that is no line end, since this was set to false: blank lines between requests begin none. */
  hasBegun = false;
  /** True: what stands behind the requests that were handed on waits, until {@link goOn}. */
  isHeld: () => boolean = () => false;
  /** True: an answer is due, and the end of what the client sends waits for it a while. */
  isAnswering: () => boolean = () => false;
  readonly #socket: Socket;
  readonly #turn: Turn;
  #unread: Buffer = Buffer.alloc(0);
  #isWanted = false;
  #hasEnded = false;
  #endTimer: NodeJS.Timeout | undefined;
  #isEndDue = false;

  constructor(socket: Socket, turnstile: Turnstile) {
    super({ readableHighWaterMark: pieceBytes, allowHalfOpen: true });
    this.remoteAddress = socket.remoteAddress;
    this.#socket = socket;
    this.#turn = new Turn(turnstile, () => this.#handOn(), { address: this.remoteAddress });
    socket.on('data', (bytes: Buffer) => {
      this.#unread = bytes;
      socket.pause();
      this.#handOn();
    });
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#handOn();
    });
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Bytes have come, whether they were handed on or not. */
  get hasAsked(): boolean {
    return this.#socket.bytesRead > 0;
  }

  goOn(): void {
    if (this.#isWanted) process.nextTick(() => this.#handOn());
  }

  setTimeout(ms: number, whenOver?: () => void): this {
    this.#socket.setTimeout(ms);
    if (whenOver !== undefined) this.once('timeout', whenOver);
    return this;
  }

  /** Ends it when all is sent, as that of a socket does. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  #handOn(): void {
    while (this.#isWanted && !this.#turn.isWaiting && !this.destroyed && !this.isHeld()) {
      if (this.#unread.length === 0) {
        if (!this.#hasEnded) this.#socket.resume();
        this.#isWanted = !(this.#hasEnded && this.#pushEnd());
        break;
      }
      if (!this.#turn.enter()) break;
      const piece = this.#unread.subarray(0, this.#pieceEnd());
      this.#unread = this.#unread.subarray(piece.length);
      this.#isWanted = false;
      this.hasBegun ||= piece.some((byte) => byte !== 0x0d && byte !== 0x0a);
      this.push(piece);
    }
    this.#turn.leave();
  }

  /** Node ends the connection then, answers and all. False: an answer is due first, or its time. */
  #pushEnd(): boolean {
    if (!this.#isEndDue && this.isAnswering()) {
      this.#endTimer ??= setTimeout(() => {
        this.#isEndDue = true;
        this.#handOn();
      }, halfClosedMs);
      return false;
    }
    clearTimeout(this.#endTimer);
    if (!this.readableEnded) this.push(null);
    return true;
  }

  #pieceEnd(): number {
    const at = this.#unread.subarray(0, pieceBytes).indexOf(headEnd, 0, 'latin1');
    return at < 0 ? pieceBytes : at + headEnd.length;
  }

  override _read(): void {
    this.#isWanted = true;
    // Not now: Node's parser may be inside the piece before, and cannot be entered twice.
    if (!this.#turn.isWaiting) process.nextTick(() => this.#handOn());
  }

  override _write(
    bytes: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.write(bytes, done);
  }

  override _writev(
    writes: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.write(Buffer.concat(writes.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#turn.end();
    clearTimeout(this.#endTimer);
    this.#unread = Buffer.alloc(0);
    this.#socket.destroy();
    done(error);
  }
}
