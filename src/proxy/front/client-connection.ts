/**
 * One client's socket: reads it request by request, gives each to its handler (corridor, framework, raw pipe) and takes it
 * back when the answer is complete. Answers go out in the order of requests; a client that does not read is not read.
 */
import type { Socket } from 'node:net';
import { Turn } from '../../connections/turnstile.ts';
import { type FramedRequest, InputBuffer, RequestFramer } from '../../http1/request-framer.ts';
import type { RequestHead } from '../../http1/request-head.ts';
import type { NeedleOutcome, PassthroughOutcome } from '../../needle/needle-outcome.ts';
import type { ClientEnd } from '../../needle/request-record.ts';
import { ClientProgress } from './client-progress.ts';
import type { ConnectionHost } from './connection-host.ts';
import { deliver, overload } from './deliver.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { Handover, type HandoverSide } from './handover.ts';
import { IgnoredLineEnds } from './ignored-line-ends.ts';
import { LaneSeat, type LaneSeatOwner } from './lane-seat.ts';
import type { FrontLimits } from './limits.ts';
import { pipeObserved } from './observed-pipe.ts';
import { patienceMs } from './patience.ts';
import { PipeQuiet } from './pipe-quiet.ts';
import { malformed } from './refusal.ts';
import { endWhenSent, reset } from './reset.ts';
import type { PlaceHolder } from './resting-places.ts';
import { SendPace } from './send-pace.ts';

export class ClientConnection
  implements ExchangeOwner<Exchange>, HandoverSide, PlaceHolder, LaneSeatOwner
{
  readonly socket: Socket;
  readonly #host: ConnectionHost;
  readonly unread: InputBuffer = new InputBuffer();
  readonly #framer: RequestFramer;
  readonly pace: SendPace = new SendPace();
  /** head: waiting for one; lane: a lane is; busy: the corridor or the framework has a request; raw, closing: for good. */
  #state: 'head' | 'lane' | 'busy' | 'raw' | 'closing' = 'head';
  readonly #seat: LaneSeat | undefined;
  #pipeQuiet: PipeQuiet | undefined;
  #scannedBytes = 0;
  #exchange: Exchange | undefined;
  #handover: Handover | undefined;
  readonly #lineEnds = new IgnoredLineEnds();
  #inputEnded = false;
  #advancing = false;
  /** While it waits, bytes of a request may be there that were not looked at. */
  readonly #turn: Turn;
  #client: ClientEnd | undefined;
  #sinceMs: number;
  #flushedBytes = 0;
  /** Once it has owed bytes when the sweep came by. */
  #progress: ClientProgress | undefined;

  constructor(socket: Socket, host: ConnectionHost) {
    this.socket = socket;
    this.#host = host;
    this.#turn = new Turn(host.turnstile, () => this.#goOn());
    this.#framer = new RequestFramer(host.limits.headBytes);
    this.#seat = host.lanes && new LaneSeat(host.lanes, this);
    this.#sinceMs = performance.now();
    socket.on('data', this.#onData);
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Ends a connection without a request at once, another after its answer. */
  drain(): void {
    if (this.#state === 'lane') this.#seat?.askBack('close');
    else if (this.#state === 'head' && !this.#turn.isWaiting) this.#close();
  }

  /** Gives its place to a newcomer. */
  yieldPlace(): void {
    if (this.#state === 'raw') this.socket.destroy();
    else this.drain();
  }

  /** A part of an answer, sent or not, must not look whole to the client. */
  destroy(): void {
    const isPart =
      this.socket.writableLength > 0 || this.#exchange?.endsWithConnection || this.#state === 'raw';
    if (this.#state === 'lane') this.#seat?.askBack('destroy');
    else if (isPart) reset(this.socket);
    else this.socket.destroy();
  }

  get hasAsked(): boolean {
    return this.#client !== undefined;
  }

  /** A head that has not come whole is nothing in hand yet. */
  restingMs(nowMs: number): number {
    if (this.#state === 'raw') return this.#pipeQuiet?.restingMs(this.socket, nowMs) ?? 0;
    if (this.#state === 'lane') return this.#seat?.restingMs ?? 0;
    if (this.#state !== 'head' || this.#turn.isWaiting || this.socket.writableLength > 0) return 0;
    // Where bytes have left since the sweep came by, an answer has ended just now.
    return this.socket.bytesWritten === this.#flushedBytes ? nowMs - this.#sinceMs : 0;
  }

  /** Called every so often: closes what made no progress for too long. */
  sweep(nowMs: number): void {
    if (this.#state === 'lane') return;
    const { limits, counters } = this.#host;
    const flushed = this.socket.bytesWritten - this.socket.writableLength;
    if (flushed !== this.#flushedBytes) this.#sinceMs = nowMs;
    this.#flushedBytes = flushed;
    this.#pipeQuiet?.look(this.socket, nowMs);
    if (nowMs - this.#sinceMs <= this.#patienceMs(limits)) {
      if (!this.#isLate(nowMs)) return;
      counters.bodyTimeouts += 1;
    } else if (this.#state === 'head' && this.unread.length > 0) {
      counters.headTimeouts += 1;
      this.socket.write(malformed, 'latin1');
      this.#close();
      return;
    }
    this.destroy();
  }

  /** True for a connection that goes on, but by too few bytes at a time. */
  #isLate(nowMs: number): boolean {
    const isRaw = this.#state === 'raw';
    if (!isRaw && !this.#owesBody) {
      this.#progress = undefined;
      return false;
    }
    this.#progress ??= new ClientProgress(this.socket, this.#host.limits, nowMs);
    return isRaw ? this.#progress.isPipeLate(nowMs) : this.#progress.isBodyLate(nowMs);
  }

  /** True while the client owes body bytes and those that came are all taken. */
  get #owesBody(): boolean {
    if (this.#state !== 'busy' || this.bodyDone || this.unread.length > 0) return false;
    return this.#exchange?.awaitsContinue !== true;
  }

  #patienceMs(limits: FrontLimits): number {
    const state = this.#turn.isWaiting ? 'waiting' : this.#state;
    const isSending = this.socket.writableLength > 0;
    const hasUnread = this.unread.length > 0;
    return patienceMs({ state, isSending, hasUnread, inputEnded: this.#inputEnded }, limits);
  }

  // Reading

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state === 'closing') return;
    this.unread.append(chunk);
    if (this.#state === 'head' && !this.#turn.isWaiting) {
      this.#advance();
    } else {
      if (this.#handover?.pump() === true) this.#sinceMs = performance.now();
      if (this.#bodyLeftBytes > 0) this.#exchange?.carrier?.bodyCame();
    }
    const isAwaited = this.#state === 'head' && !this.#turn.isWaiting;
    // Not read ahead: thousands of pipelines would fill the memory. What was read once, the kernel and Node's stream hold, is enough.
    if (!isAwaited && this.unread.length > 0) this.socket.pause();
  };

  #readOn(): void {
    if (this.unread.length === 0 && this.socket.isPaused()) this.socket.resume();
  }

  /** Begins the requests that are there, one after the other, as far as this turn of the event loop has time for them. */
  #advance(): void {
    if (this.#advancing || this.#turn.isWaiting) return;
    this.#advancing = true;
    while (this.#state === 'head' && this.unread.length > 0) {
      if (this.socket.writableNeedDrain) {
        this.socket.pause();
        break;
      }
      if (!this.#turn.enter()) break;
      if (!this.#lineEnds.skip(this.unread)) break;
      const bytes = this.unread.view();
      const verdict = this.#framer.frame(bytes, this.#scannedBytes);
      if (verdict.kind === 'incomplete') {
        if (this.#scannedBytes === 0) this.#sinceMs = performance.now();
        this.#scannedBytes = bytes.length;
        this.unread.trim();
        if (this.socket.isPaused()) this.socket.resume();
        break;
      }
      this.#scannedBytes = 0;
      if (verdict.kind === 'raw') {
        this.#goRawUnread(verdict.target);
        break;
      }
      this.#begin(verdict, bytes.subarray(0, verdict.headBytes));
    }
    this.#turn.leave();
    this.#advancing = false;
    if (this.#state !== 'head' || this.#turn.isWaiting) return;
    this.#readOn();
    if (this.#inputEnded) this.#endOfInput();
    else if (this.#isLast) this.#close();
    else if (this.unread.length === 0 && this.#seat?.take()) this.#state = 'lane';
  }

  leftLane(bytes: Buffer): void {
    this.#state = 'head';
    this.#sinceMs = performance.now();
    if (bytes.length > 0) this.#onData(bytes);
    else if (this.#isLast) this.#close();
  }

  /** No further request is begun. */
  get #isLast(): boolean {
    return this.#host.draining || this.#seat?.isYielding === true;
  }

  #goOn(): void {
    if (this.#state !== 'head') return;
    this.#sinceMs = performance.now();
    this.#advance();
  }

  #begin(request: FramedRequest, headBytes: Buffer): void {
    this.#state = 'busy';
    if (request.head.method === 'POST') this.#lineEnds.mayFollow();
    this.unread.consume(request.headBytes);
    this.#readOn();
    const exchange = new Exchange(request, headBytes, this, this.#host);
    this.#exchange = exchange;
    this.#sinceMs = exchange.startedAtMs;
    this.#host.counters.requestsInFlight += 1;
    if (!(this.#host.isLaneOn || request.block.http10) || !request.block.isRelayable) {
      this.#host.counters.requestsByFramework += 1;
      this.#handOver(exchange);
      return;
    }
    this.#host.counters.requestsByLane += 1;
    exchange.bodyLeftBytes = request.body.kind === 'length' ? request.body.bytes : 0;
    const { head } = request;
    const refused = overload(head, this.#host);
    if (refused === undefined) this.#host.route.serve(head, exchange.hasBody, exchange);
    else this.received(exchange, refused);
  }

  received(exchange: Exchange, outcome: NeedleOutcome): void {
    this.#seat?.learn(exchange, outcome);
    deliver(exchange, outcome, this.#host, this.#host.relay);
  }

  hedge(exchange: Exchange, outcome: PassthroughOutcome): boolean {
    if (exchange.over || exchange.request.block.expectsContinue) return false;
    if (this.#host.isTimed) exchange.decidedMs = exchange.durationMs;
    this.#host.relay.forward(exchange, outcome);
    return true;
  }

  #handOver(exchange: Exchange): void {
    this.#handover ??= new Handover(this.#host.adopt, this, this.#host.turnstile);
    this.#handover.give(exchange);
  }

  begun(): void {
    this.#handover?.begun();
  }

  pumped(): void {
    this.#sinceMs = performance.now();
    if (this.#inputEnded && this.#handover?.owesBody === true) this.destroy();
  }

  setReading(reading: boolean): void {
    if (!reading) this.socket.pause();
    else this.#readOn();
  }

  /** Unread body bytes of a request that the lane handles. */
  get #bodyLeftBytes(): number {
    return this.#exchange?.bodyLeftBytes ?? 0;
  }

  get bodyDone(): boolean {
    return this.#bodyLeftBytes === 0 && this.#handover?.bodyDone !== false;
  }

  #onEnd(): void {
    this.#inputEnded = true;
    if (this.#state === 'head' && !this.#turn.isWaiting) this.#endOfInput();
    if (this.#state !== 'busy') return;
    this.#sinceMs = performance.now();
    const isCutShort = this.#bodyLeftBytes > this.unread.length;
    if (isCutShort || this.#handover?.owesBody === true) this.destroy();
  }

  #endOfInput(): void {
    // Whole requests may wait until the client has read: what comes then decides.
    if (this.unread.length > 0 && this.socket.writableNeedDrain) return;
    if (this.unread.length === 0) this.#close();
    else this.#goRawUnread('/');
  }

  // Writing

  /** Known from the first request on, also when the socket is gone. */
  get client(): ClientEnd {
    this.#client ??= this.#host.ownConnections.clientOf(this.socket);
    return this.#client;
  }

  #onDrain(): void {
    this.#sinceMs = performance.now();
    this.#exchange?.onDrain?.();
    this.#exchange?.carrier?.drained();
    if (this.#state === 'head' && !this.#turn.isWaiting) {
      this.socket.resume();
      this.#advance();
    }
  }

  finished(exchange: Exchange, reusable: boolean): void {
    const isLast = !reusable || !this.bodyDone || this.#isLast;
    this.#leave(exchange);
    if (isLast) this.#close();
    else if (exchange.outgoing === undefined) this.#nextRequest();
    else this.#handover?.takeBack(exchange.outgoing, () => this.#nextRequest());
  }

  #nextRequest(): void {
    if (this.#state !== 'busy') return;
    this.#state = 'head';
    // When, the sweep sees by what was sent.
    this.#readOn();
    this.#advance();
  }

  cut(exchange: Exchange): void {
    this.#leave(exchange);
    if (exchange.endsWithConnection) reset(this.socket);
    this.#close();
  }

  becomeRaw(exchange: Exchange, upstreamUrl: string): void {
    this.#leave(exchange);
    this.#goRaw(upstreamUrl, [exchange.headBytes], exchange.request.head);
  }

  answerAsNode(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  handBack(exchange: Exchange): void {
    exchange.becomeRaw(this.#host.route.upstreamFor(exchange.request.head.target));
  }

  #leave(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    this.#host.counters.requestsInFlight -= 1;
  }

  #goRawUnread(target: string): void {
    this.#host.counters.connectionsUnread += 1;
    const request = { method: '', target, rawHeaders: [] };
    this.#goRaw(this.#host.route.upstreamFor(target), [], request);
  }

  #goRaw(upstreamUrl: string, prefix: readonly Buffer[], request: RequestHead): void {
    this.#state = 'raw';
    this.#pipeQuiet = new PipeQuiet(this.socket);
    this.#handover?.destroy();
    this.socket.off('data', this.#onData);
    const unread = this.unread.length > 0 ? [this.unread.view()] : [];
    pipeObserved(this.socket, this.#host, {
      upstreamUrl,
      prefix: [...prefix, ...unread],
      request,
      client: this.client,
    });
    this.unread.clear();
  }

  /** Ends our side and drops what still comes, for a while: closing over unread bytes would reset the connection. */
  #close(): void {
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#sinceMs = performance.now();
    this.#handover?.destroy();
    this.unread.clear();
    endWhenSent(this.socket);
    this.socket.resume();
  }

  #onClose(): void {
    this.#state = this.#state === 'raw' ? 'raw' : 'closing';
    const exchange = this.#exchange;
    if (exchange !== undefined) this.#leave(exchange);
    exchange?.lost();
    this.#turn.end();
    this.#seat?.end();
    this.#handover?.destroy();
    this.unread.clear();
  }
}
