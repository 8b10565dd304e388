/** The life of one request: taken apart, admitted, answered, sent, counted once. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { hostNameOf } from '../../http1/host-name.ts';
import { parseUint64 } from '../../needle/request/go-numbers.ts';
import { splitTarget } from '../../needle/request/needle-path.ts';
import { parseQuery, type Query } from '../../needle/request/query.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import { parseReadBody } from './read-parameters.ts';
import { badParameter, refusal, type SidecarRefusal } from './refusal.ts';
import { refused, type SidecarAnswer } from './sidecar-answer.ts';
import type { SidecarObserver } from './sidecar-ledger.ts';
import type { SidecarLog, SidecarOptions } from './sidecar-options.ts';

/** Counted across all connections. */
export interface SidecarLoad {
  requestsInFlight: number;
  bytesInFlight: number;
}

export interface ExchangeHost {
  readonly options: SidecarOptions;
  readonly endpoints: Endpoints;
  readonly load: SidecarLoad;
  readonly observe: SidecarObserver;
  readonly log: SidecarLog;
  readonly isDraining: () => boolean;
}

const bodyBytesMax = 4 * 1024;
const retryAfter = { 'Retry-After': '1' };

export class SidecarExchange {
  readonly #host: ExchangeHost;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #endpoint: Endpoint | undefined;
  readonly #rawQuery: string;
  readonly #startedAt = performance.now();
  readonly #gone = new AbortController();
  #answer: SidecarAnswer | undefined;
  #bytesHeld = 0;
  #isInFlight = false;

  constructor(host: ExchangeHost, request: IncomingMessage, response: ServerResponse) {
    const { rawPath, rawQuery } = splitTarget(request.url ?? '/');
    this.#host = host;
    this.#request = request;
    this.#response = response;
    this.#endpoint = host.endpoints.find(rawPath);
    this.#rawQuery = rawQuery;
    response.once('close', () => this.#closed());
  }

  async run(): Promise<void> {
    // The client went while the request waited for its turn.
    if (this.#gone.signal.aborted) return;
    const answer = await this.#answered();
    // A client that has gone cannot be told, and nothing would give the bytes back later.
    if (this.#gone.signal.aborted) {
      answer.release?.();
      return;
    }
    this.#answer = answer;
    this.#hold(answer.needleBytes);
    this.#send(answer);
  }

  async #answered(): Promise<SidecarAnswer> {
    try {
      const { isRead } = this.#endpoint ?? { isRead: false };
      const query = this.#barred() ?? (await this.#query());
      this.#begin();
      if ('kind' in query) return refused(query);
      const overload = isRead ? this.#admit(query) : undefined;
      if (overload !== undefined) return refused(overload);
      return await this.#ask(query);
    } catch (error) {
      this.#host.log.error({ event: 'bug', error }, 'a sidecar request could not be handled');
      return refused(refusal(500, 'bug', 'a defect of the sidecar; its log tells more'));
    }
  }

  /** A request that owes its body is not in flight: its client could hold all of requests_in_flight with a few bytes. */
  #begin(): void {
    if (this.#gone.signal.aborted) return;
    this.#isInFlight = true;
    this.#host.load.requestsInFlight += 1;
  }

  /** Path and method; and pages of a browser, which have no business here. */
  #barred(): SidecarRefusal | undefined {
    const { method = '', headers } = this.#request;
    const { endpoints, options } = this.#host;
    const field = fieldOfPage(headers);
    if (field !== undefined) {
      return refusal(403, 'browser', `requests of web pages (${field}) are not answered here`);
    }
    const host = hostNameOf(headers.host, this.#request.socket.localAddress);
    if (host === 'address' || (host === 'name' && options.isOnLoopback)) {
      return refusal(403, 'browser', foreignHostText);
    }
    if (this.#endpoint === undefined) {
      return refusal(404, 'path', `no such path; there are ${endpoints.paths.join(' ')}`);
    }
    const { methods } = this.#endpoint;
    if (methods.includes(method)) return undefined;
    const allow = methods.join(', ');
    return refusal(405, 'method', `${method} is not one of ${allow}`, { Allow: allow });
  }

  async #query(): Promise<Query | SidecarRefusal> {
    const query = parseQuery(this.#rawQuery);
    if (query === undefined) return badParameter('query', 'too many parameters');
    if (this.#request.method !== 'POST') return query;
    const body = await bodyOf(this.#request);
    if ('text' in body) return parseReadBody(body.text);
    if (body.lack === 'end') return badParameter('body', 'the connection ended before it');
    return refusal(413, 'parameter', `the body is longer than ${bodyBytesMax} bytes`);
  }

  /** Holds what the read may take, as far as the request tells. */
  #admit(query: Query): SidecarRefusal | undefined {
    const { load, options } = this.#host;
    const { limits } = options;
    if (load.requestsInFlight > limits.requestsInFlightMax) {
      return overload('requests', 'requests_in_flight');
    }
    const size = Number(parseUint64(query.get('size') ?? '') ?? 0n);
    const bytes = Math.min(size === 0 ? limits.readBytesMax : size, limits.readBytesMax);
    if (load.bytesInFlight + bytes > limits.bytesInFlightMax) {
      return overload('bytes', 'bytes_in_flight');
    }
    this.#hold(bytes);
    return undefined;
  }

  async #ask(query: Query): Promise<SidecarAnswer> {
    const { headers, method = '' } = this.#request;
    const endpoint = this.#endpoint as Endpoint;
    const accepts = headers.accept ?? '';
    return endpoint.answer({
      method,
      isHead: method === 'HEAD',
      query,
      wantsJson: query.get('format') === 'json' || /\bapplication\/json\b/i.test(accepts),
      authorization: headers.authorization,
      signal: this.#gone.signal,
    });
  }

  #send({ status, headers, body }: SidecarAnswer): void {
    const response = this.#response;
    const length = body.reduce((sum, slice) => sum + slice.length, 0);
    response.writeHead(status, {
      ...headers,
      'Content-Length': length,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...(this.#host.isDraining() ? { Connection: 'close' } : {}),
    });
    if (this.#request.method !== 'HEAD') for (const slice of body) response.write(slice);
    response.end();
  }

  #hold(bytes: number): void {
    this.#host.load.bytesInFlight += bytes - this.#bytesHeld;
    this.#bytesHeld = bytes;
  }

  /** The last byte was flushed, or the connection is gone. */
  #closed(): void {
    const { load, observe } = this.#host;
    if (this.#isInFlight) load.requestsInFlight -= 1;
    this.#hold(0);
    this.#gone.abort();
    const answer = this.#answer;
    answer?.release?.();
    const isDone = this.#response.writableFinished || answer?.isHeadEnough === true;
    const { outcome, reason, needleBytes } = answer !== undefined && isDone ? answer : aborted;
    observe({
      path: this.#endpoint?.name ?? 'other',
      outcome,
      reason,
      needleBytes,
      durationMs: performance.now() - this.#startedAt,
    });
  }
}

const aborted = { outcome: 'aborted', reason: '', needleBytes: 0 } as const;

function overload(what: string, key: string): SidecarRefusal {
  return refusal(503, 'overload', `more ${what} under way than sidecar.${key}`, retryAfter);
}

const foreignHostText =
  'Host: ask for the address of this listener; on loopback for 127.0.0.1, [::1] or localhost';

/**
 * Names the field with which a browser says that a page asks. Pictures and scripts come without Origin, and over plain
 * HTTP without Sec-Fetch-Site as well unless the address is on loopback; Referer is left then.
 */
function fieldOfPage(headers: IncomingHttpHeaders): string | undefined {
  if (headers.origin !== undefined) return 'Origin';
  if (headers.referer !== undefined) return 'Referer';
  return (headers['sec-fetch-site'] ?? 'none') === 'none' ? undefined : 'Sec-Fetch-Site';
}

type Body = { readonly text: string } | { readonly lack: 'room' | 'end' };

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bodyBytesMax) return { lack: 'room' };
      chunks.push(chunk);
    }
  } catch {
    // The one failure of a request's stream: its connection is gone.
    return { lack: 'end' };
  }
  return { text: Buffer.concat(chunks).toString('utf8') };
}
