/**
 * The connection that Node's http server sees: a Duplex that carries the bytes of one request at a time. Answers do
 * not come back through it: they go to the client's socket by the exchange, byte for byte, and what Node's own
 * ServerResponse writes afterwards is dropped. Where Node answers by itself, its bytes go out and the socket is closed.
 */
import { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';

export interface VirtualConnectionOwner {
  /** Node wants more of the request's body. */
  wantsBody(): void;
  /** Node answered by itself. */
  nodeAnswered(bytes: Buffer): void;
  /** Node's parser refused the request. */
  nodeRefused(): void;
  /** Node closed the connection. */
  nodeClosed(): void;
}

export class VirtualConnection extends Duplex {
  /** The request in hand. */
  exchange: Exchange;
  readonly owner: VirtualConnectionOwner;

  constructor(exchange: Exchange, owner: VirtualConnectionOwner) {
    super({ readableHighWaterMark: 65_536, writableHighWaterMark: 65_536, allowHalfOpen: true });
    this.exchange = exchange;
    this.owner = owner;
  }

  override _read(): void {
    this.owner.wantsBody();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.exchange.started && !this.exchange.over) this.owner.nodeAnswered(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.owner.nodeClosed();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.owner.nodeClosed();
    done(error);
  }
}
