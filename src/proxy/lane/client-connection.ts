/**
 * One client's socket: reads it request by request, gives each to whoever may handle it (the corridor, the framework,
 * the raw pipe) and takes the socket back when the answer is complete. Answers go out in the order of their requests;
 * a client that does not read stops being read.
 */
import type { Socket } from 'node:net';
import type { NeedleOutcome, NeedleRoute } from '../needle-outcome.ts';
import type { RequestObserver } from '../outcome.ts';
import { type AnswerSink, Exchange, refusalText } from './exchange.ts';
import { InputBuffer } from './input-buffer.ts';
import type { FrontCounters, FrontLimits } from './limits.ts';
import { sendNeedle } from './needle-send.ts';
import { isPlainRead } from './plain-read.ts';
import { pipeRaw } from './raw-pipe.ts';
import { RequestBody } from './request-body.ts';
import { type FramedRequest, frameRequest } from './request-framer.ts';
import { VirtualConnection, type VirtualConnectionOwner } from './virtual-connection.ts';

/** What all connections of a front share. */
export interface ConnectionHost {
  readonly route: NeedleRoute;
  readonly observe: RequestObserver;
  readonly limits: FrontLimits;
  readonly counters: FrontCounters;
  /** False: reads take the framework's way. */
  readonly lane: boolean;
  readonly debugHeaders: boolean;
  /** No further request is begun on a connection. */
  readonly draining: boolean;
  readonly connectTimeoutMs: number;
  /** Something threw that must not: the request in hand gets 502, all others go on. */
  bug(error: unknown): void;
  /** Makes Node's http server listen to a virtual connection. */
  adopt(virtual: VirtualConnection): void;
}

/** Pipelined bytes that are read ahead of the request in hand. */
const aheadBytesMax = 65_536;
/** How long a client that was told of the end may go on sending. */
const lingerMs = 1_000;
/** A client that closed its sending side gets its answer if it comes this soon; most such clients are gone. */
const halfClosedMs = 500;

const malformed =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request';

export class ClientConnection implements AnswerSink, VirtualConnectionOwner {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #input = new InputBuffer();
  /** head: waiting for one; busy: the corridor or the framework has a request; raw, closing: for good. */
  #state: 'head' | 'busy' | 'raw' | 'closing' = 'head';
  #scannedBytes = 0;
  #exchange: Exchange | undefined;
  #virtual: VirtualConnection | undefined;
  /** Of the request that was handed over; undefined for the lane's own. */
  #body: RequestBody | undefined;
  #handlerBegun = false;
  #inputEnded = false;
  #advancing = false;
  #sinceMs: number;
  #flushedBytes = 0;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#sinceMs = performance.now();
    socket.on('data', this.#onData);
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Ends a connection without a request at once, another after its answer. */
  drain(): void {
    if (this.#state === 'head') this.#close();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Called every so often: closes what made no progress for too long. */
  sweep(nowMs: number): void {
    const { limits } = this.#host;
    const flushed = this.#socket.bytesWritten - this.#socket.writableLength;
    if (flushed !== this.#flushedBytes) {
      this.#flushedBytes = flushed;
      this.#sinceMs = nowMs;
    }
    const waitedMs = nowMs - this.#sinceMs;
    if (waitedMs > this.#patienceMs(limits)) {
      if (this.#state === 'head' && this.#input.length > 0) {
        this.#socket.write(malformed, 'latin1');
        this.#close();
      } else {
        this.#socket.destroy();
      }
    }
  }

  #patienceMs(limits: FrontLimits): number {
    if (this.#socket.writableLength > 0) return limits.idleTimeoutMs;
    switch (this.#state) {
      case 'closing':
        return lingerMs;
      case 'head':
        return this.#input.length > 0 ? limits.headTimeoutMs : limits.idleTimeoutMs;
      case 'busy':
        return this.#inputEnded ? halfClosedMs : Number.POSITIVE_INFINITY;
      case 'raw':
        return Number.POSITIVE_INFINITY;
    }
  }

  // Reading

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state === 'closing') return;
    if (this.#state === 'head') {
      if (this.#input.length === 0) this.#sinceMs = performance.now();
      this.#input.append(chunk);
      this.#advance();
      return;
    }
    this.#input.append(chunk);
    this.#pumpBody();
    if (this.#input.length > aheadBytesMax) this.#socket.pause();
  };

  /** Begins the requests that are there, one after the other. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (this.#state === 'head' && this.#input.length > 0) {
      if (this.#socket.writableNeedDrain) {
        this.#socket.pause();
        break;
      }
      const bytes = this.#input.view();
      const verdict = frameRequest(bytes, this.#scannedBytes, this.#host.limits.headBytes);
      if (verdict.kind === 'incomplete') {
        this.#scannedBytes = bytes.length;
        break;
      }
      this.#scannedBytes = 0;
      if (verdict.kind === 'raw') {
        this.#goRaw(this.#host.route.upstreamFor(verdict.target), []);
        break;
      }
      this.#begin(verdict, bytes.subarray(0, verdict.headBytes));
    }
    this.#advancing = false;
    if (this.#state === 'head' && this.#inputEnded) this.#endOfInput();
  }

  #begin(request: FramedRequest, headBytes: Buffer): void {
    this.#state = 'busy';
    this.#sinceMs = performance.now();
    this.#input.consume(request.headBytes);
    const exchange = new Exchange(request, headBytes, this, this.#host.observe);
    this.#exchange = exchange;
    this.#host.counters.requestsInFlight += 1;
    if (!this.#host.lane || !isPlainRead(request)) {
      this.#handOver(exchange);
      return;
    }
    this.#serveRead(exchange).catch((error: unknown) => {
      this.#host.bug(error);
      exchange.refuse(502, 'raw', refusalText('internal error'));
    });
  }

  async #serveRead(exchange: Exchange): Promise<void> {
    const outcome =
      this.overload(exchange) ?? (await this.#host.route.serve(exchange.request.head, false));
    if (outcome.kind === 'answer') {
      this.answer(exchange, outcome);
    } else if (outcome.kind === 'error') {
      exchange.refuse(outcome.status, outcome.reason, refusalText(outcome.reason));
    } else if (exchange.over) {
      exchange.decide({ outcome: 'passthrough', reason: outcome.reason, transport: 'none' });
    } else {
      exchange.decided = outcome;
      this.#handOver(exchange);
    }
  }

  /** What becomes of a request when too much is in hand already. */
  overload(exchange: Exchange): NeedleOutcome | undefined {
    const { counters, limits, route } = this.#host;
    if (counters.requestsInFlight > limits.requestsInFlight * 2) {
      return { kind: 'error', status: 503, reason: 'overload' };
    }
    const tooMany = counters.requestsInFlight > limits.requestsInFlight;
    if (!tooMany && counters.bytesInFlight <= limits.bytesInFlight) return undefined;
    const upstreamUrl = route.upstreamFor(exchange.request.head.target);
    return { kind: 'passthrough', reason: 'overload', upstreamUrl };
  }

  answer(exchange: Exchange, outcome: Extract<NeedleOutcome, { kind: 'answer' }>): void {
    sendNeedle(exchange, outcome, this.#host);
  }

  #handOver(exchange: Exchange): void {
    this.#handlerBegun = false;
    this.#body = new RequestBody(exchange.request.body);
    if (this.#virtual === undefined) {
      this.#virtual = new VirtualConnection(exchange, this);
      this.#host.adopt(this.#virtual);
    } else {
      this.#virtual.exchange = exchange;
    }
    this.#virtual.push(exchange.headBytes);
  }

  begun(): void {
    this.#handlerBegun = true;
    // Not now: Node's parser is still inside the head that was pushed, and cannot be entered twice.
    if (this.#body?.done === false) process.nextTick(() => this.#pumpBody());
  }

  /** Hands the request's own bytes on, and not one of the next request's. */
  #pumpBody(): void {
    const body = this.#body;
    if (body === undefined || body.done || !this.#handlerBegun || this.#input.length === 0) return;
    const bytes = this.#input.view();
    const taken = body.take(bytes);
    if (taken === undefined) {
      this.#exchange?.decide({ outcome: 'error', reason: 'body', transport: 'none' });
      this.#exchange?.cut();
      return;
    }
    this.#input.consume(taken);
    this.#sinceMs = performance.now();
    const hungry = this.#virtual?.push(bytes.subarray(0, taken));
    if (hungry === false && !body.done) this.#socket.pause();
  }

  wantsBody(): void {
    if (this.#state === 'busy' && this.#input.length <= aheadBytesMax) this.#socket.resume();
  }

  #onEnd(): void {
    this.#inputEnded = true;
    if (this.#state === 'head') this.#endOfInput();
    if (this.#state !== 'busy') return;
    this.#sinceMs = performance.now();
    if (this.#body?.done === false) this.#socket.destroy();
  }

  #endOfInput(): void {
    if (this.#input.length === 0) this.#close();
    else this.#goRaw(this.#host.route.upstreamFor('/'), []);
  }

  // Writing

  send(bytes: Buffer | string, flushed?: () => void): boolean {
    return typeof bytes === 'string'
      ? this.#socket.write(bytes, 'latin1', flushed)
      : this.#socket.write(bytes, flushed);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  #onDrain(): void {
    this.#sinceMs = performance.now();
    this.#exchange?.onDrain?.();
    if (this.#state === 'head') {
      this.#socket.resume();
      this.#advance();
    }
  }

  finished(exchange: Exchange, reusable: boolean): void {
    this.#leave(exchange);
    if (!reusable || this.#host.draining || this.#body?.done === false) {
      this.#close();
      return;
    }
    this.#body = undefined;
    const { outgoing } = exchange;
    if (outgoing === undefined) {
      this.#nextRequest();
      return;
    }
    // Node's own answer goes nowhere; it only makes its parser ready for the next request.
    outgoing.once('finish', () => this.#nextRequest());
    outgoing.end();
  }

  #nextRequest(): void {
    if (this.#state !== 'busy') return;
    this.#state = 'head';
    this.#sinceMs = performance.now();
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#advance();
  }

  cut(exchange: Exchange): void {
    this.#leave(exchange);
    this.#close();
  }

  becomeRaw(exchange: Exchange, upstreamUrl: string): void {
    this.#leave(exchange);
    this.#goRaw(upstreamUrl, [exchange.headBytes]);
  }

  /** Node's parser did not accept what the framer let through: nothing was answered, so the volume server may. */
  nodeRefused(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (this.#handlerBegun) exchange.cut();
    else exchange.becomeRaw(this.#host.route.upstreamFor(exchange.request.head.target));
  }

  nodeAnswered(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  nodeClosed(): void {
    const exchange = this.#exchange;
    if (this.#state !== 'busy' || exchange === undefined) {
      this.#virtual = undefined;
      return;
    }
    if (exchange.over) return;
    exchange.decide({ outcome: 'error', reason: 'raw', transport: 'none' });
    exchange.cut();
  }

  #leave(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    this.#host.counters.requestsInFlight -= 1;
  }

  // Leaving the state machine

  #goRaw(upstreamUrl: string, prefix: readonly Buffer[]): void {
    this.#state = 'raw';
    this.#virtual?.destroy();
    this.#socket.off('data', this.#onData);
    const startedAtMs = performance.now();
    const unread = this.#input.length > 0 ? [this.#input.view()] : [];
    const { connectTimeoutMs } = this.#host;
    const options = { upstreamUrl, prefix: [...prefix, ...unread], connectTimeoutMs, lingerMs };
    void pipeRaw(this.#socket, options).then((end) => {
      this.#host.observe({
        outcome: end.failed ? 'error' : 'passthrough',
        reason: 'raw',
        transport: 'none',
        durationMs: performance.now() - startedAtMs,
        bodyBytes: end.answerBytes,
      });
    });
  }

  /** Ends our side and drops what still comes, for a while: closing over unread bytes would reset the connection. */
  #close(): void {
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#sinceMs = performance.now();
    this.#virtual?.destroy();
    this.#socket.end();
    this.#socket.resume();
  }

  #onClose(): void {
    this.#state = this.#state === 'raw' ? 'raw' : 'closing';
    const exchange = this.#exchange;
    if (exchange !== undefined) this.#leave(exchange);
    exchange?.lost();
    this.#virtual?.destroy();
  }
}
