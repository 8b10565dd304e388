/**
 * Forwards a request to the volume server and its answer to the client, streaming both ways; the only file that knows
 * http-proxy-3. That library sends the request and follows the client's end; the answer's bytes are written here, from
 * the upstream's own status line and raw headers.
 */
import { Agent, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import httpProxy from 'http-proxy-3';
import { answerFraming } from '../lane/answer-framing.ts';
import { withDebugHeaders } from '../lane/debug-headers.ts';
import { type Exchange, refusalText } from '../lane/exchange.ts';
import type { Reason } from '../outcome.ts';
import { answerHeaders, saysClose } from './hop-by-hop.ts';
import { RetryBudget } from './retry-budget.ts';
import { upstreamRequest } from './upstream-request.ts';

export interface PassthroughOptions {
  readonly connectTimeoutMs: number;
  /** Without a byte from the volume server: 504 before the answer, a cut connection after its start. */
  readonly answerTimeoutMs: number;
  /** Per volume server; more wait for a free one. */
  readonly upstreamConnections: number;
  readonly debugHeaders: boolean;
}

export interface ForwardJob {
  readonly exchange: Exchange;
  readonly upstreamUrl: string;
  readonly reason: Reason;
  readonly observe: ((status: number, rawHeaders: readonly string[]) => void) | undefined;
  /** Called once, before the answer's first byte goes to the client, or (`isAnswered` false) when there will be none. */
  readonly settled: ((isAnswered: boolean) => void) | undefined;
}

/** Volume servers close idle connections after 30 s: one this young is not about to be closed. */
const idleConnectionMs = 5_000;
/** Node's parser drops header lines beyond this without a word. */
const headerLinesMax = 2_000;

export class Passthrough {
  readonly #options: PassthroughOptions;
  readonly #proxy: httpProxy.ProxyServer;
  readonly #agent: Agent;
  /** For retries: never takes a used connection. */
  readonly #freshAgent: Agent;
  readonly #budget = new RetryBudget();
  readonly #forwards = new WeakMap<IncomingMessage, Forward>();
  readonly #targets = new Map<string, URL>();

  constructor(options: PassthroughOptions) {
    this.#options = options;
    const maxSockets = options.upstreamConnections;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets,
      maxFreeSockets: 256,
      timeout: idleConnectionMs,
    });
    this.#freshAgent = new Agent({ keepAlive: false, maxSockets });
    this.#proxy = httpProxy.createProxyServer({ selfHandleResponse: true });
    this.#proxy.on('proxyReq', (upstream, incoming, _outgoing, _options, socket) =>
      this.#forwards.get(incoming)?.sent(upstream, socket),
    );
    this.#proxy.on('proxyRes', (answer, incoming) =>
      this.#forwards.get(incoming)?.answered(answer),
    );
    // Errors reach the forward by its own callback; what comes here belongs to a client that is gone.
    this.#proxy.on('error', () => undefined);
  }

  forward(job: ForwardJob): void {
    const { exchange } = job;
    exchange.decide({ outcome: 'passthrough', reason: job.reason, transport: 'none' });
    if (exchange.over) return;
    const forward = new Forward(job, this.#options, this.#budget, (fresh) =>
      this.#send(forward, fresh),
    );
    this.#forwards.set(exchange.incoming as IncomingMessage, forward);
    this.#budget.earn();
    this.#send(forward, false);
  }

  close(): void {
    this.#agent.destroy();
    this.#freshAgent.destroy();
  }

  #send(forward: Forward, fresh: boolean): void {
    const { exchange, upstreamUrl } = forward.job;
    this.#proxy.web(
      exchange.incoming as IncomingMessage,
      exchange.outgoing as ServerResponse,
      {
        target: this.#target(upstreamUrl),
        agent: fresh ? this.#freshAgent : this.#agent,
        ssl: upstreamRequest(exchange.request.head),
        connectTimeout: this.#options.connectTimeoutMs,
      },
      (error) => forward.failed(error),
    );
  }

  #target(upstreamUrl: string): URL {
    let target = this.#targets.get(upstreamUrl);
    if (target === undefined) {
      target = new URL(upstreamUrl);
      this.#targets.set(upstreamUrl, target);
    }
    return target;
  }
}

/** Connections that have answered before: one that dies now may have been closed for idleness. */
const usedSockets = new WeakSet<Socket>();

/** One request on its way to the volume server and back. */
class Forward {
  readonly job: ForwardJob;
  readonly #options: PassthroughOptions;
  readonly #budget: RetryBudget;
  readonly #send: (fresh: boolean) => void;
  #upstream: ClientRequest | undefined;
  #socket: Socket | undefined;
  #onUsedSocket = false;
  #retried = false;
  #over = false;
  #isSettled = false;
  #timedOut = false;
  /** Of the connection, when silence was looked at last: an upload is progress too. */
  #sentBytes = 0;
  #silence: NodeJS.Timeout;

  constructor(
    job: ForwardJob,
    options: PassthroughOptions,
    budget: RetryBudget,
    send: (fresh: boolean) => void,
  ) {
    this.job = job;
    this.#options = options;
    this.#budget = budget;
    this.#send = send;
    this.#silence = setTimeout(() => this.#timeOut(), options.answerTimeoutMs);
    job.exchange.onGone = () => this.#abandon();
  }

  sent(upstream: ClientRequest, socket: Socket): void {
    this.#upstream = upstream;
    this.#socket = socket;
    this.#onUsedSocket = usedSockets.has(socket);
    if (this.#over) upstream.destroy();
  }

  answered(answer: IncomingMessage): void {
    if (this.#over) {
      this.#upstream?.destroy();
      return;
    }
    const { exchange, observe, reason } = this.job;
    const { rawHeaders } = answer;
    const status = answer.statusCode as number;
    const framing = answerFraming(exchange.request.head.method, status, rawHeaders);
    if (framing === undefined || rawHeaders.length >= headerLinesMax * 2) {
      this.#upstream?.destroy();
      this.#misread();
      return;
    }
    usedSockets.add(answer.socket);
    observe?.(status, rawHeaders);
    this.#settle(true);
    const head = answerHead(answer, answerHeaders(rawHeaders, exchange.request.close));
    exchange.start(
      this.#options.debugHeaders
        ? withDebugHeaders(head, {
            source: `passthrough;reason=${reason}`,
            cacheStatus: `fwd=${reason === 'method' ? 'method' : 'bypass'}; detail=${reason}`,
            durationMs: exchange.durationMs,
          })
        : head,
      framing,
      saysClose(rawHeaders),
    );
    this.#stream(answer);
  }

  #stream(answer: IncomingMessage): void {
    const { exchange } = this.job;
    exchange.onDrain = () => answer.resume();
    answer.on('data', (chunk: Buffer) => {
      this.#silence.refresh();
      if (!exchange.write(chunk)) answer.pause();
    });
    answer.on('end', () => {
      if (!answer.complete) this.#cut();
      else this.#complete(answer);
    });
    answer.on('error', () => this.#cut());
    answer.on('close', () => this.#cut());
  }

  #complete(answer: IncomingMessage): void {
    if (this.#over) return;
    this.#stop();
    const requestRead = this.#upstream?.writableFinished === true;
    if (!requestRead) this.#upstream?.destroy();
    this.job.exchange.finish(answer.rawTrailers, requestRead);
  }

  /** The connection broke before an answer began, or the request could not be sent. */
  failed(error: NodeJS.ErrnoException): void {
    if (this.#over) return;
    const { exchange, reason } = this.job;
    if (exchange.started) {
      this.#cut();
      return;
    }
    if (this.#timedOut || error.code === 'ECONNECT_TIMEOUT' || error.code === 'ETIMEDOUT') {
      this.#refuse(504, 'the volume server did not answer in time');
    } else if (error.code?.startsWith('HPE_') === true) {
      this.#misread();
    } else if (!this.#isConnectionLost(error)) {
      this.#refuse(502, 'the volume server cannot be reached');
    } else if (!this.#onUsedSocket) {
      // The volume server closed without an answer, as it does where its handler panics; so do we.
      this.#cut();
    } else if (this.#mayRetry()) {
      this.#retried = true;
      this.#send(true);
    } else {
      this.#stop();
      exchange.refuse(502, reason, refusalText('the volume server closed the connection'));
    }
  }

  #isConnectionLost(error: NodeJS.ErrnoException): boolean {
    if (this.#socket === undefined || this.#socket.connecting) return false;
    return error.code === 'ECONNRESET' || error.code === 'EPIPE';
  }

  #mayRetry(): boolean {
    return !this.#retried && this.#isRepeatable() && this.#budget.spend();
  }

  /** Sending it twice changes nothing, and can be done: no byte of it was streamed. */
  #isRepeatable(): boolean {
    const { exchange } = this.job;
    const { method } = exchange.request.head;
    return (method === 'GET' || method === 'HEAD') && !exchange.hasBody;
  }

  /** An answer that Node cannot read: stored control bytes, or a negative length. It is asked for again, as bytes. */
  #misread(): void {
    this.#stop();
    const { exchange, upstreamUrl, reason } = this.job;
    if (this.#isRepeatable()) exchange.becomeRaw(upstreamUrl);
    else exchange.refuse(502, reason, refusalText('the volume server sent no valid answer'));
  }

  #refuse(status: 502 | 504, text: string): void {
    this.#stop();
    this.job.exchange.refuse(status, this.job.reason, refusalText(text));
  }

  #cut(): void {
    if (this.#over) return;
    this.#stop();
    const { exchange, reason } = this.job;
    exchange.decide({ outcome: 'error', reason, transport: 'none' });
    exchange.cut();
  }

  #timeOut(): void {
    const sentBytes = this.#socket?.bytesWritten ?? 0;
    if (!this.job.exchange.started && sentBytes !== this.#sentBytes) {
      this.#sentBytes = sentBytes;
      this.#silence = setTimeout(() => this.#timeOut(), this.#options.answerTimeoutMs);
      return;
    }
    this.#timedOut = true;
    if (this.#upstream === undefined)
      this.#refuse(504, 'no connection to the volume server is free');
    this.#upstream?.destroy(new Error('timed out'));
  }

  /** The client is gone: the volume server is not kept busy for it. */
  #abandon(): void {
    this.#stop();
    this.#upstream?.destroy();
  }

  #settle(isAnswered: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.job.settled?.(isAnswered);
  }

  #stop(): void {
    this.#settle(false);
    this.#over = true;
    clearTimeout(this.#silence);
  }
}

function answerHead(answer: IncomingMessage, headers: readonly string[]): string {
  let head = `HTTP/${answer.httpVersion} ${answer.statusCode} ${answer.statusMessage}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    head += `${headers[i] as string}: ${headers[i + 1] as string}\r\n`;
  }
  return `${head}\r\n`;
}
