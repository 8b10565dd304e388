/**
 * One request on its way over the relay. The head goes as it came, the body as the client sends it, the answer's bytes
 * as the volume server sends them; only their ends are counted here. Neither side is read faster than the other takes.
 */

import { AnswerBody } from '../../http1/answer-body.ts';
import { type AnswerHead, AnswerHeadReader, rawHeadersOf } from '../../http1/answer-head.ts';
import {
  answerHeadText,
  isAnswerWhole,
  joined,
  requestHead,
  saysClose,
  saysKeepAlive,
} from '../../http1/hop-by-hop.ts';
import type { Exchange } from '../front/exchange.ts';
import type { Carrier } from '../front/exchange-owner.ts';
import type { PassthroughOutcome } from '../front/forwarder.ts';
import { Forwarding, type ForwardingTerms } from './forwarding.ts';
import {
  type PoolUser,
  type ReadMemory,
  tickMs,
  type UpstreamConnection,
  type UpstreamPool,
} from './upstream-pool.ts';

export class RelayedRequest extends Forwarding implements PoolUser, Carrier {
  readonly #pool: UpstreamPool;
  #connection: UpstreamConnection | undefined;
  /** Until the answer's head is there. */
  #reader: AnswerHeadReader | undefined;
  #body: AnswerBody | undefined;
  #answerCloses = false;
  /** The volume server has asked for the body with `100 Continue`. */
  #isContinued = false;
  /** The volume server has answered without asking for the body: what still comes may be no body. */
  #isBodyRefused = false;
  /** The client takes no more for now. */
  #isPaused = false;
  /** Other answers have their turn. */
  #isPaced = false;
  /** Without progress of the volume server: interim answers and pieces of a head are none, as they may drip for ever. */
  #quietTicks = 0;
  /** The connection's sent bytes when silence was looked at last: an upload is progress too. */
  #sentBytes = 0;

  constructor(
    exchange: Exchange,
    outcome: PassthroughOutcome,
    terms: ForwardingTerms,
    pool: UpstreamPool,
  ) {
    super(exchange, outcome, terms);
    this.#pool = pool;
  }

  begin(): void {
    this.exchange.carrier = this;
    this.#pool.acquire(this);
  }

  /** Works like `begin`, for a request that was sent before and will not be sent once more. */
  beginAgain(): void {
    this.exchange.carrier = this;
    this.wasRetried = true;
    this.#pool.open(this);
  }

  protected override again(): void {
    this.#connection = undefined;
    this.#endReader();
    this.#pool.open(this);
  }

  // The request

  given(connection: UpstreamConnection): void {
    this.#connection = connection;
    this.#quietTicks = 0;
    const { exchange } = this;
    const head = requestHead(exchange.request, exchange.headBytes);
    const body = exchange.takeBody();
    const hungry = connection.write(body === undefined ? head : joined(head, body));
    if (exchange.bodyLeftBytes > 0) exchange.setReading(hungry);
  }

  bodyCame(): void {
    if (this.#connection === undefined || this.#isBodyRefused) return;
    const body = this.exchange.takeBody();
    if (body === undefined || this.#connection.writeOwned(body)) return;
    if (this.exchange.bodyLeftBytes > 0) this.exchange.setReading(false);
  }

  writable(): void {
    if (this.exchange.bodyLeftBytes === 0 || this.#isBodyRefused) return;
    this.exchange.setReading(true);
    this.bodyCame();
  }

  // The answer

  received(bytes: Buffer, memory: ReadMemory): boolean {
    if (this.#body === undefined) this.#readHead(bytes, memory);
    else this.#passBody(this.#body, bytes, memory);
    return this.exchange.unsentBytes === 0;
  }

  #readHead(bytes: Buffer, memory: ReadMemory): void {
    this.#reader ??= new AnswerHeadReader(this.exchange.request.head, this.#continue);
    const found = this.#reader.read(bytes);
    if (found.kind === 'head') this.#begin(found.head, found.bytes, memory);
    else if (found.kind === 'broken') this.#misread();
  }

  readonly #continue = (head: string): void => {
    // The first one asks the client for its body, which takes the client some time to send.
    if (!this.#isContinued) this.#quietTicks = 0;
    this.#isContinued = true;
    this.exchange.sendInterim(head);
  };

  #begin(head: AnswerHead, bytes: Buffer, memory: ReadMemory): void {
    const body = new AnswerBody(head.framing);
    const taken = body.take(bytes.subarray(head.headBytes));
    if (taken === undefined) {
      this.#misread();
      return;
    }
    if (!this.mayAnswer(head.status)) {
      this.#connection?.destroy();
      return;
    }
    const { exchange, outcome } = this;
    this.#quietTicks = 0;
    this.#endReader();
    this.#body = body;
    exchange.answerHead = head.text;
    exchange.endsWithConnection = body.endsWithConnection;
    outcome.observe?.(head.status, rawHeadersOf(head));
    this.settle(true);
    const { block } = exchange.request;
    this.#answerCloses = endsConnection(head, block.http10);
    this.#isBodyRefused = block.expectsContinue && !this.#isContinued && exchange.bodyLeftBytes > 0;
    const closes = this.#answerCloses || body.endsWithConnection;
    const end = head.headBytes + taken;
    const isStray = end < bytes.length;
    const all = isStray ? bytes.subarray(0, end) : bytes;
    const hungry = this.#goesAsItCame(head)
      ? exchange.passHead(all, body.ownBytes, closes, lentFor(all, memory))
      : this.#passAnew(head, all.subarray(head.headBytes), body.ownBytes, closes);
    this.#pace(body, taken, body.framingBytes);
    this.#goOn(body, hungry, isStray);
  }

  #goesAsItCame(head: AnswerHead): boolean {
    const { exchange } = this;
    return !head.isMended && isAnswerWhole(head, exchange.request) && !exchange.debugHeaders;
  }

  #passAnew(head: AnswerHead, rest: Buffer, bodyBytes: number, closes: boolean): boolean {
    const { exchange } = this;
    const text = this.debugged(answerHeadText(head, exchange.request));
    const headBytes = Buffer.from(text, 'latin1');
    if (rest.length < lentBytesMin) {
      return exchange.passHead(Buffer.concat([headBytes, rest]), bodyBytes, closes);
    }
    exchange.passHead(headBytes, 0, closes);
    return exchange.pass(rest, bodyBytes);
  }

  #passBody(body: AnswerBody, bytes: Buffer, memory: ReadMemory): void {
    const { ownBytes, framingBytes } = body;
    const taken = body.take(bytes);
    if (taken === undefined) {
      this.#breakOff();
      return;
    }
    // Framing that goes on without end brings the client nothing.
    if (taken > body.framingBytes - framingBytes) this.#quietTicks = 0;
    const ours = taken === bytes.length ? bytes : bytes.subarray(0, taken);
    const hungry = this.exchange.pass(ours, body.ownBytes - ownBytes, lentFor(ours, memory));
    this.#pace(body, taken, body.framingBytes - framingBytes);
    this.#goOn(body, hungry, taken < bytes.length);
  }

  /** @param isStray there are bytes behind the answer that no request asked for */
  #goOn(body: AnswerBody, hungry: boolean, isStray: boolean): void {
    if (body.done) {
      this.#complete(!isStray && !this.#answerCloses);
    } else if (!hungry || this.#isPaced) {
      this.#isPaused = !hungry;
      this.#connection?.pause();
    }
  }

  #pace(body: AnswerBody, readBytes: number, framingBytes: number): void {
    if (body.done) return;
    this.#isPaced = !this.terms.pace.allows(readBytes, framingBytes, this.#endPace);
  }

  readonly #endPace = (): void => {
    this.#isPaced = false;
    if (!this.over && !this.#isPaused) this.#connection?.resume();
  };

  drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isPaced) this.#connection?.resume();
  }

  #complete(reusable: boolean): void {
    if (this.over) return;
    this.stop();
    const { exchange } = this;
    const connection = this.#connection as UpstreamConnection;
    const requestRead = exchange.bodyLeftBytes === 0 && connection.unsentBytes === 0;
    this.#connection = undefined;
    // Before the answer's end: the client's next request may go out at once.
    if (reusable && requestRead) this.#pool.giveBack(connection);
    else connection.destroy();
    exchange.finishPassed(requestRead);
  }

  protected override leave(): void {
    super.leave();
    this.#endReader();
  }

  #endReader(): void {
    this.#reader?.end();
    this.#reader = undefined;
  }

  // Failures

  /** The client is gone: the volume server is not kept busy for it. */
  gone(): void {
    this.stop();
    if (this.#connection === undefined) this.#pool.forget(this);
    else this.#connection.destroy();
  }

  upstreamGone(error: NodeJS.ErrnoException | undefined): void {
    if (this.over) return;
    const connection = this.#connection as UpstreamConnection;
    if (this.#body !== undefined) {
      if (this.#body.endsWithConnection && error === undefined) this.#complete(false);
      else this.cut();
    } else if (error?.code === 'ETIMEDOUT') {
      this.noAnswerInTime();
    } else if (!connection.isConnected || !isLoss(error)) {
      this.noConnection(error);
    } else {
      this.lostConnection(connection.isUsed);
    }
  }

  tick(): void {
    const connection = this.#connection;
    const sentBytes = connection?.sentBytes ?? 0;
    if (
      this.#isPaused ||
      this.#isPaced ||
      (this.#body === undefined && sentBytes !== this.#sentBytes)
    ) {
      this.#sentBytes = sentBytes;
      this.#quietTicks = 0;
      return;
    }
    this.#quietTicks += 1;
    const { connectTimeoutMs, answerTimeoutMs } = this.terms;
    const isConnecting = connection?.isConnected === false;
    if (this.#quietTicks * tickMs <= (isConnecting ? connectTimeoutMs : answerTimeoutMs)) return;
    connection?.destroy();
    if (connection === undefined) {
      this.#pool.forget(this);
      this.noConnectionInTime();
    } else if (this.#body === undefined) {
      this.noAnswerInTime();
    } else {
      this.cut();
    }
  }

  /** On a used connection it may be what was left of an earlier answer. */
  #misread(): void {
    const isUsed = this.#connection?.isUsed === true;
    this.#connection?.destroy();
    if (isUsed && this.mayBeSentAgain()) this.again();
    else this.noValidAnswer();
  }

  #breakOff(): void {
    this.#connection?.destroy();
    this.cut();
  }
}

/** HTTP/1.0 keeps a connection only where client and answer say so. @param http10 the request is of that version */
function endsConnection(head: AnswerHead, http10: boolean): boolean {
  const isOld = http10 || head.http10;
  if (!head.hasConnection) return isOld;
  const rawHeaders = rawHeadersOf(head);
  return saysClose(rawHeaders) || (isOld && !(http10 && saysKeepAlive(rawHeaders)));
}

/** Small answers leave at once: the memory is free again without a callback. */
const lentBytesMin = 16_384;

function lentFor(bytes: Buffer, memory: ReadMemory): (() => void) | undefined {
  return bytes.length < lentBytesMin || bytes.buffer !== memory.bytes.buffer
    ? undefined
    : memory.lend();
}

function isLoss(error: NodeJS.ErrnoException | undefined): boolean {
  return error === undefined || error.code === 'ECONNRESET' || error.code === 'EPIPE';
}
