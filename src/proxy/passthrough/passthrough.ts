/**
 * Forwards a request to the volume server and its answer to the client, streaming both ways: the way of what the relay
 * does not take, and the only file that knows http-proxy-3. That library sends the request and follows the client's end;
 * the answer's bytes are written here, from the upstream's own status line and raw headers.
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import httpProxy from 'http-proxy-3';
import { rawHeadersOf } from '../../http1/answer-head.ts';
import { answerHeadText, saysClose } from '../../http1/hop-by-hop.ts';
import type { Exchange } from '../front/exchange.ts';
import type { Forwarder, ForwardingOptions, PassthroughOutcome } from '../front/forwarder.ts';
import {
  Forwarding,
  type ForwardingTerms,
  idleConnectionMs,
  idleConnectionsMax,
  RetryBudget,
} from './forwarding.ts';
import { JudgedAnswer } from './judged-answer.ts';
import { type JudgedSocket, JudgingAgent } from './judged-socket.ts';
import type { Relay } from './relay.ts';
import { upstreamRequest } from './upstream-request.ts';

export class Passthrough implements Forwarder {
  readonly #terms: ForwardingTerms;
  readonly #relay: Relay;
  readonly #proxy: httpProxy.ProxyServer;
  readonly #agent: JudgingAgent;
  /** For retries: never takes a used connection. */
  readonly #freshAgent: JudgingAgent;
  readonly #forwards = new WeakMap<IncomingMessage, Forward>();
  readonly #targets = new Map<string, URL>();

  /** @param relay reads what Node's parser does not: the control bytes that uploaders put in names and types */
  constructor(options: ForwardingOptions, relay: Relay) {
    this.#relay = relay;
    this.#terms = { ...options, budget: new RetryBudget() };
    const maxSockets = options.upstreamConnections;
    const kept = { maxFreeSockets: idleConnectionsMax, timeout: idleConnectionMs };
    this.#agent = new JudgingAgent({ keepAlive: true, maxSockets, ...kept }, options.pace);
    this.#freshAgent = new JudgingAgent({ keepAlive: false, maxSockets }, options.pace);
    this.#proxy = httpProxy.createProxyServer({ selfHandleResponse: true });
    this.#proxy.on('proxyReq', (upstream, incoming, _outgoing, _options, socket) =>
      this.#forwards.get(incoming)?.sent(upstream, socket as JudgedSocket),
    );
    this.#proxy.on('proxyRes', (answer, incoming) =>
      this.#forwards.get(incoming)?.answered(answer),
    );
    // Errors reach the forward by its own callback; what comes here belongs to a client that is gone.
    this.#proxy.on('error', () => undefined);
  }

  forward(exchange: Exchange, outcome: PassthroughOutcome): void {
    const forward = new Forward(exchange, outcome, this.#terms, {
      send: (fresh) => this.#send(forward, outcome.upstreamUrl, fresh),
      relay: () => this.#relay.forwardAgain(exchange, outcome),
    });
    this.#forwards.set(exchange.incoming as IncomingMessage, forward);
    // When the sockets were polled once more: what came behind an earlier answer ends its connection.
    setImmediate(() =>
      setImmediate(() => {
        if (!forward.over) this.#send(forward, outcome.upstreamUrl, false);
      }),
    );
  }

  close(): void {
    this.#agent.destroy();
    this.#freshAgent.destroy();
  }

  #send(forward: Forward, upstreamUrl: string, fresh: boolean): void {
    const { exchange } = forward;
    this.#proxy.web(
      exchange.incoming as IncomingMessage,
      exchange.outgoing as ServerResponse,
      {
        target: this.#target(upstreamUrl),
        agent: fresh ? this.#freshAgent : this.#agent,
        ssl: upstreamRequest(exchange.request.head),
        connectTimeout: this.#terms.connectTimeoutMs,
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

const plainChunks = /\r\ntransfer-encoding: ?chunked\r\n/i;

/** Connections that have answered before: one that dies now may have been closed for idleness. */
const usedSockets = new WeakSet<Socket>();

interface Ways {
  readonly send: (fresh: boolean) => void;
  readonly relay: () => void;
}

/** One request on its way to the volume server and back. */
class Forward extends Forwarding {
  readonly #ways: Ways;
  #upstream: ClientRequest | undefined;
  #socket: JudgedSocket | undefined;
  #onUsedSocket = false;
  #timedOut = false;
  /** The answer's bytes, as they came. */
  #judged: JudgedAnswer | undefined;
  #silence: NodeJS.Timeout;
  #answer: IncomingMessage | undefined;

  constructor(exchange: Exchange, outcome: PassthroughOutcome, terms: ForwardingTerms, ways: Ways) {
    super(exchange, outcome, terms);
    this.#ways = ways;
    this.#silence = setTimeout(() => this.#timeOut(), terms.answerTimeoutMs);
    exchange.onGone = () => this.#abandon();
  }

  protected override again(): void {
    this.#ways.send(true);
  }

  sent(upstream: ClientRequest, socket: JudgedSocket): void {
    this.#upstream = upstream;
    this.#socket = socket;
    this.#onUsedSocket = usedSockets.has(socket);
    this.#judge(socket);
    this.#silence.refresh();
    this.#followUpload();
    // The proxy asks no server to switch protocols: a client's offer ends here. Without a listener Node drops the
    // connection silently.
    upstream.on('upgrade', (_answer, switched) => {
      switched.destroy();
      if (!this.over) this.noValidAnswer();
    });
    if (this.over) upstream.destroy();
  }

  /** An upload is progress too. The library pauses it while the volume server takes none of it. */
  #followUpload(): void {
    const { exchange } = this;
    if (!exchange.hasBody) return;
    exchange.incoming?.on('data', () => {
      if (!this.over && !exchange.started) this.#silence.refresh();
    });
  }

  #judge(socket: JudgedSocket): void {
    this.#judged?.end();
    const judged = new JudgedAnswer(
      this.exchange.request.head,
      (interim) => this.exchange.sendInterim(interim),
      () => this.#broken(),
    );
    this.#judged = judged;
    socket.answer = judged;
  }

  /** Bytes that come from now on belong to no request. */
  #endJudging(): void {
    this.#judged?.end();
    if (this.#socket !== undefined && this.#socket.answer === this.#judged) {
      this.#socket.answer = undefined;
    }
  }

  /** Node would never report interim answers without end, and reads some bodies in its own way. */
  #broken(): void {
    if (this.over) return;
    this.#upstream?.destroy();
    if (this.exchange.started) this.cut();
    else this.#misread();
  }

  answered(answer: IncomingMessage): void {
    if (this.over) {
      this.#upstream?.destroy();
      return;
    }
    const head = this.#judged?.head;
    // HTTP/1.0 ends connections in its own way, and Node finds no chunks behind a tab.
    const isOdd =
      head?.http10 === true || (head?.framing.kind === 'chunked' && !plainChunks.test(head.text));
    if (head === undefined || isOdd) {
      this.#upstream?.destroy();
      this.#misread();
      return;
    }
    const { exchange } = this;
    const rawHeaders = rawHeadersOf(head);
    usedSockets.add(answer.socket);
    this.outcome.observe?.(head.status, rawHeaders);
    this.settle(true);
    const text = this.debugged(answerHeadText(head, exchange.request));
    exchange.start(text, head.framing, saysClose(rawHeaders));
    this.#stream(answer);
  }

  #stream(answer: IncomingMessage): void {
    const { exchange } = this;
    this.#answer = answer;
    exchange.onDrain = () => {
      this.#silence.refresh();
      answer.resume();
    };
    answer.on('data', (chunk: Buffer) => {
      this.#silence.refresh();
      if (!exchange.write(chunk)) answer.pause();
    });
    answer.on('end', () => {
      if (!answer.complete) this.cut();
      else this.#complete(answer);
    });
    answer.on('error', () => this.cut());
    answer.on('close', () => this.cut());
  }

  #complete(answer: IncomingMessage): void {
    if (this.over) return;
    this.stop();
    const requestRead = this.#upstream?.writableFinished === true;
    if (!requestRead) this.#upstream?.destroy();
    // Node has taken the connection from the request: it would be used again.
    if (this.#judged?.hasStray === true) this.#socket?.destroy();
    this.exchange.finish(answer.rawTrailers, requestRead);
  }

  /** The connection broke before an answer began, or the request could not be sent. */
  failed(error: NodeJS.ErrnoException): void {
    if (this.over) return;
    if (this.exchange.started) {
      this.cut();
    } else if (this.#timedOut || error.code === 'ECONNECT_TIMEOUT' || error.code === 'ETIMEDOUT') {
      this.noAnswerInTime();
    } else if (error.code?.startsWith('HPE_') === true) {
      this.#misread();
    } else if (!this.#isConnectionLost(error)) {
      this.noConnection(error);
    } else {
      this.lostConnection(this.#onUsedSocket);
    }
  }

  /** Node's parser reads neither control bytes nor HTTP/1.0 as they came; the relay does, and judges what is left. */
  #misread(): void {
    if (this.mayBeSentAgain()) {
      this.leave();
      this.exchange.onGone = undefined;
      this.#ways.relay();
    } else {
      this.noValidAnswer();
    }
  }

  #isConnectionLost(error: NodeJS.ErrnoException): boolean {
    if (this.#socket === undefined || this.#socket.connecting) return false;
    return error.code === 'ECONNRESET' || error.code === 'EPIPE';
  }

  #timeOut(): void {
    // While the client is slow the volume server is not read: `limits.idle_timeout` is the bound then.
    if (this.#answer?.isPaused() === true) {
      this.#silence = setTimeout(() => this.#timeOut(), this.terms.answerTimeoutMs);
      return;
    }
    this.#timedOut = true;
    if (this.#upstream === undefined) this.noConnectionInTime();
    this.#upstream?.destroy(new Error('timed out'));
  }

  /** The client is gone: the volume server is not kept busy for it. */
  #abandon(): void {
    this.stop();
    this.#upstream?.destroy();
  }

  protected override leave(): void {
    super.leave();
    clearTimeout(this.#silence);
    this.#endJudging();
  }
}
