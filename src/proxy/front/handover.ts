/**
 * Gives requests of one client connection to Node's http server, one at a time: its head, then its body as Node asks
 * for it, and not one byte of the next request.
 */
import type { ServerResponse } from 'node:http';
import { Turn, type Turnstile } from '../../connections/turnstile.ts';
import { JoinedChunks, pieceBytesMax } from '../../http1/joined-chunks.ts';
import { RequestBody } from '../../http1/request-body.ts';
import type { InputBuffer } from '../../http1/request-framer.ts';
import type { Exchange } from './exchange.ts';
import { VirtualConnection, type VirtualConnectionOwner } from './virtual-connection.ts';

/** The parts of the client connection that a handover needs. */
export interface HandoverSide {
  /** Bytes of the client that no handler has taken yet. */
  readonly unread: InputBuffer;
  /** False: no more bytes are wanted for now. */
  setReading(reading: boolean): void;
  /** Body bytes that waited for their turn were handed on. */
  pumped(): void;
  /** Sends what Node answered by itself. */
  answerAsNode(bytes: Buffer): void;
  /** Node's parser did not take a head that the framer let through: nothing was answered, so the volume server may. */
  handBack(exchange: Exchange): void;
}

export class Handover implements VirtualConnectionOwner {
  readonly #adopt: (virtual: VirtualConnection) => void;
  readonly #side: HandoverSide;
  readonly #turn: Turn;
  /** Kept for the connection's later requests. */
  #virtual: VirtualConnection | undefined;
  #exchange: Exchange | undefined;
  #body: RequestBody | undefined;
  #handlerBegun = false;
  /** False: Node holds as much of the body as it should, since the volume server takes it slowly. */
  #isHungry = true;

  constructor(
    adopt: (virtual: VirtualConnection) => void,
    side: HandoverSide,
    turnstile: Turnstile,
  ) {
    this.#adopt = adopt;
    this.#side = side;
    this.#turn = new Turn(turnstile, () => this.#goOn());
  }

  /** True also where no request was given. */
  get bodyDone(): boolean {
    return this.#body?.done ?? true;
  }

  give(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#handlerBegun = false;
    this.#isHungry = true;
    this.#body = new RequestBody(exchange.request.body);
    if (this.#virtual === undefined) {
      this.#virtual = new VirtualConnection(exchange, this);
      this.#adopt(this.#virtual);
    } else {
      this.#virtual.exchange = exchange;
    }
    this.#virtual.push(headForNode(exchange));
  }

  /** The handler has the request. */
  begun(): void {
    this.#handlerBegun = true;
    // Not now: Node's parser is still inside the head that was pushed, and cannot be entered twice.
    if (!this.bodyDone) process.nextTick(() => this.#goOn());
  }

  /** Hands on what is there of the request's body, as far as this turn of the event loop has time for it; true: there was something. */
  pump(): boolean {
    let hasMoved = false;
    while (this.#isHungry && this.#hasBytes() && !this.#turn.isWaiting) {
      if (!this.#turn.enter() || !this.#pumpPiece()) break;
      hasMoved = true;
    }
    this.#turn.leave();
    return hasMoved;
  }

  #goOn(): void {
    if (this.#body === undefined) return;
    this.pump();
    if (this.#turn.isWaiting) return;
    this.#side.pumped();
    if (this.#isHungry) this.#side.setReading(true);
  }

  /** The body is not whole, and no bytes of it wait. */
  get owesBody(): boolean {
    return !this.bodyDone && this.#side.unread.length === 0;
  }

  #hasBytes(): boolean {
    const isOwed = this.#body !== undefined && !this.#body.done && this.#handlerBegun;
    return isOwed && this.#side.unread.length > 0;
  }

  #pumpPiece(): boolean {
    const body = this.#body as RequestBody;
    const { unread } = this.#side;
    const isChunked = this.#exchange?.request.body.kind === 'chunked';
    const bytes = isChunked ? unread.view().subarray(0, pieceBytesMax) : unread.view();
    const joined = isChunked ? new JoinedChunks(bytes) : undefined;
    const taken = body.take(bytes, joined?.add);
    if (taken === undefined) {
      this.#exchange?.decide({ outcome: 'error', reason: 'body', transport: 'none' });
      this.#exchange?.cut();
      return false;
    }
    unread.consume(taken);
    this.#exchange?.bodyBegan();
    const piece = joined?.piece(body.done ? body.trailers : undefined) ?? bytes.subarray(0, taken);
    if (piece.length === 0) return true;
    const isFull = this.#virtual?.push(piece) === false;
    this.#isHungry = !isFull || body.done;
    if (!this.#isHungry) this.#side.setReading(false);
    return true;
  }

  /** Ends Node's own answer, which goes nowhere, so that its parser is ready for the next request. */
  takeBack(outgoing: ServerResponse, ready: () => void): void {
    this.#exchange = undefined;
    this.#body = undefined;
    outgoing.once('close', ready);
    outgoing.end();
  }

  destroy(): void {
    this.#exchange = undefined;
    this.#body = undefined;
    this.#turn.end();
    this.#virtual?.destroy();
  }

  wantsBody(): void {
    this.#isHungry = true;
    // Not now: Node's parser may be inside a piece, and cannot be entered twice.
    if (!this.bodyDone) process.nextTick(() => this.#goOn());
  }

  nodeAnswered(bytes: Buffer): void {
    this.#side.answerAsNode(bytes);
  }

  nodeRefused(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (this.#handlerBegun) exchange.cut();
    else this.#side.handBack(exchange);
  }

  nodeClosed(): void {
    this.#virtual = undefined;
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.over) return;
    exchange.decide({ outcome: 'error', reason: 'raw', transport: 'none' });
    exchange.cut();
  }
}

/**
 * Node acts by itself on an expectation and on an offer to switch protocols: it is shown where such a request ends, and
 * nothing else. The forwarding handler has the head as it came.
 */
function headForNode({ request, headBytes }: Exchange): Buffer {
  const { head, body, block } = request;
  if (!block.expectsContinue && !block.offersUpgrade) return headBytes;
  const framing = {
    none: '',
    length: `Content-Length: ${body.kind === 'length' ? body.bytes : 0}\r\n`,
    chunked: 'Transfer-Encoding: chunked\r\n',
  }[body.kind];
  return Buffer.from(`${head.method} / HTTP/1.1\r\nHost: a\r\n${framing}\r\n`, 'latin1');
}
