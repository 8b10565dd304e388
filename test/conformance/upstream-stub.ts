/**
 * A volume server that knows only what was recorded: it plays the real server's answers back, byte for byte, and keeps
 * a list of what reached it. What it was never asked in the recording it answers with 599, which no test can mistake.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { headerOf, type ParsedRequest, parseRequest } from './http-head.ts';
import {
  answersOf,
  type RecordedAnswer,
  type RecordedBodies,
  type RecordedCase,
  requestBytes,
} from './transcript.ts';

export interface StubOptions {
  /** The cases of one group and one port. */
  readonly cases: readonly RecordedCase[];
  readonly bodies: RecordedBodies;
  /** Rows of GET /status; undefined: this port has none (the public one). */
  readonly statusRows: readonly object[] | undefined;
  /** A read key is configured: a read without a token is answered with 401. */
  readonly needsToken: boolean;
  /** host:port that stands for {{PEER}}. */
  readonly peer: string;
}

export interface Reached {
  readonly name: string;
  readonly text: string;
}

interface Playable {
  readonly name: string;
  readonly connection: string;
  readonly answer: RecordedAnswer;
  readonly method: string;
}

interface RawPlayable {
  readonly name: string;
  readonly bytes: Buffer;
  readonly answers: readonly RecordedAnswer[];
  readonly open: boolean;
}

/** Removed or replaced on each hop (RFC 9110, section 7.6.1). */
const hopHeaders = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
  'trailer',
]);
/** How long the rest of a longer recorded byte sequence is waited for before a shorter one counts. */
const partialWaitMs = 60;

export class UpstreamStub {
  readonly #options: StubOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #raw: RawPlayable[] = [];
  readonly #parsed = new Map<string, Playable[]>();
  #reached: Reached[] = [];

  private constructor(options: StubOptions) {
    this.#options = options;
    for (const recorded of options.cases) this.#add(recorded);
    this.#raw.sort((a, b) => b.bytes.length - a.bytes.length);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(options: StubOptions): Promise<UpstreamStub> {
    const stub = new UpstreamStub(options);
    await new Promise<void>((resolve) => stub.#server.listen(0, '127.0.0.1', resolve));
    return stub;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What reached this server since the last call, probes of /status and of the read key left out. */
  takeReached(): readonly Reached[] {
    const reached = this.#reached;
    this.#reached = [];
    return reached;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #add(recorded: RecordedCase): void {
    const bytes = requestBytes(recorded.request);
    const answers = answersOf(recorded);
    if (recorded.request.rawB64 !== undefined || recorded.request.rawParts !== undefined) {
      const open = recorded.response.open !== false;
      this.#raw.push({ name: recorded.name, bytes, answers, open });
    }
    let at = 0;
    for (const answer of answers) {
      const state = parseRequest(bytes.subarray(at));
      if (state.kind !== 'request') break;
      const { request } = state;
      const key = keyOf(request);
      const connection = connectionOf(request);
      const playable = { name: recorded.name, connection, answer, method: request.method };
      this.#parsed.set(key, [...(this.#parsed.get(key) ?? []), playable]);
      at += request.bytes;
    }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    let held = Buffer.alloc(0);
    let timer: NodeJS.Timeout | undefined;
    const step = (isLate: boolean): void => {
      clearTimeout(timer);
      while (held.length > 0 && !socket.destroyed && socket.writable) {
        const used = this.#answer(socket, held, isLate);
        if (used === 0) {
          if (!isLate) timer = setTimeout(() => step(true), partialWaitMs);
          return;
        }
        held = held.subarray(used);
      }
    };
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      step(false);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
  }

  /** Bytes of `held` that were answered; 0: more may come. */
  #answer(socket: Socket, held: Buffer, isLate: boolean): number {
    const state = parseRequest(held);
    const request = state.kind === 'request' ? state.request : undefined;
    const isAll = request !== undefined && request.bytes === held.length;
    const mayBecomeRaw = this.#raw.some(
      (raw) => raw.bytes.length > held.length && raw.bytes.subarray(0, held.length).equals(held),
    );
    if (mayBecomeRaw && !isLate) return 0;
    const raw = this.#raw.find(({ bytes }) => held.subarray(0, bytes.length).equals(bytes));
    if (raw !== undefined && (request === undefined || raw.bytes.length >= request.bytes)) {
      this.#reached.push({ name: raw.name, text: raw.bytes.toString('latin1', 0, 120) });
      const method = raw.bytes.subarray(0, 5).equals(Buffer.from('HEAD ')) ? 'HEAD' : 'GET';
      for (const answer of raw.answers) this.#play(socket, answer, method, undefined);
      if (!raw.open) socket.end();
      return raw.bytes.length;
    }
    if (request === undefined) {
      if (state.kind === 'incomplete') return 0;
      this.#unknown(socket, held.toString('latin1', 0, 200));
      return held.length;
    }
    if (!isAll || !this.#probe(socket, request)) this.#parsedAnswer(socket, request);
    return request.bytes;
  }

  #parsedAnswer(socket: Socket, request: ParsedRequest): void {
    const found = this.#parsed.get(keyOf(request));
    const connection = connectionOf(request);
    const playable = found?.find((each) => each.connection === connection) ?? found?.[0];
    const text = `${request.method} ${request.target} ${JSON.stringify(request.headers)}`;
    if (playable === undefined) {
      this.#unknown(socket, text);
      return;
    }
    this.#reached.push({ name: playable.name, text });
    const isAsRecorded = playable.connection === connection;
    this.#play(socket, playable.answer, request.method, isAsRecorded ? undefined : connection);
  }

  #unknown(socket: Socket, text: string): void {
    this.#reached.push({ name: '(never recorded)', text });
    socket.end('HTTP/1.1 599 Never Recorded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  }

  /** What a proxy and a target ask on their own account. */
  #probe(socket: Socket, request: ParsedRequest): boolean {
    const { statusRows, needsToken } = this.#options;
    const common = [
      ['Server', 'SeaweedFS Volume 30GB 4.44'],
      ['X-Amz-Request-Id', '18EA713C1034B9D2CBF0C10C'],
    ] as const;
    const date = ['Date', new Date().toUTCString()] as const;
    if (request.method === 'GET' && request.target === '/status' && statusRows !== undefined) {
      const body = JSON.stringify({ DiskStatuses: [], Version: '30GB 4.44 ', Volumes: statusRows });
      const type = ['Content-Type', 'application/json'] as const;
      const sniff = ['X-Content-Type-Options', 'nosniff'] as const;
      const headers = [type, ...common, sniff, date, ['Transfer-Encoding', 'chunked'] as const];
      socket.write(headText('HTTP/1.1 200 OK', headers) + chunked(body));
      if (hasClose(request)) socket.end();
      return true;
    }
    if (request.method === 'GET' && request.target === '/0,000000000000') {
      const body = needsToken ? '{"error":"wrong jwt"}' : '';
      const headers = [...common, date, ['Content-Length', String(body.length)] as const];
      const status = needsToken ? '401 Unauthorized' : '404 Not Found';
      socket.write(headText(`HTTP/1.1 ${status}`, headers) + body);
      if (hasClose(request)) socket.end();
      return true;
    }
    return false;
  }

  /** `connection`: the request's Connection where it is another than the recorded one; undefined: the same. */
  #play(
    socket: Socket,
    answer: RecordedAnswer,
    method: string,
    connection: string | undefined,
  ): void {
    if (answer.statusLine === undefined) {
      socket.end();
      return;
    }
    let body: Buffer = this.#withTokens(this.#options.bodies.of(answer), answer);
    const multipart = /boundary=([0-9a-f]{60})$/.exec(
      headerValue(answer, 'content-type') ?? '',
    )?.[1];
    if (multipart !== undefined) {
      body = Buffer.from(body.toString('latin1').replaceAll('B'.repeat(60), multipart), 'latin1');
    }
    const isGet = method !== 'HEAD';
    const headers = answer.headers.map(([name, value]): readonly [string, string] => {
      if (name === 'Content-Length' && answer.tokens === true && isGet)
        return [name, String(body.length)];
      return [name, this.#withTokens(Buffer.from(value, 'latin1'), answer).toString('latin1')];
    });
    const closes = connection === undefined ? endsConnection(answer) : connection === 'close';
    const head = headText(
      answer.statusLine,
      connection === undefined ? headers : reconnected(headers, closes),
    );
    socket.write(Buffer.from(head, 'latin1'));
    if (isGet && answer.framing === 'chunked')
      socket.write(Buffer.from(chunked(body.toString('latin1')), 'latin1'));
    else if (isGet) socket.write(body);
    if (closes || answer.framing === 'eof' || !answer.complete) socket.end();
  }

  #withTokens(bytes: Buffer, answer: RecordedAnswer): Buffer {
    if (answer.tokens !== true) return bytes;
    const text = bytes.toString('latin1');
    const named = text
      .replaceAll('{{PEER}}', this.#options.peer)
      .replaceAll('{{SELF}}', this.address);
    return Buffer.from(named, 'latin1');
  }
}

function keyOf(request: ParsedRequest): string {
  const headers = request.headers
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((line) => !hopHeaders.has(line.slice(0, line.indexOf(':'))));
  // A stable sort: the order of several values of one name counts.
  headers.sort((a, b) => (a.slice(0, a.indexOf(':')) < b.slice(0, b.indexOf(':')) ? -1 : 1));
  const version = request.http10 ? 'HTTP/1.0' : 'HTTP/1.1';
  return [request.method, request.target, version, ...headers].join('\n');
}

function connectionOf(request: ParsedRequest): string {
  const value = (headerOf(request, 'connection') ?? '').toLowerCase();
  if (request.http10) return value.includes('keep-alive') ? '' : 'close';
  return value.includes('close') ? 'close' : '';
}

function hasClose(request: ParsedRequest): boolean {
  return connectionOf(request) === 'close';
}

function headerValue(answer: RecordedAnswer, lowerName: string): string | undefined {
  return answer.headers.find(([name]) => name.toLowerCase() === lowerName)?.[1];
}

function endsConnection(answer: RecordedAnswer): boolean {
  const option = headerValue(answer, 'connection');
  const isOld = answer.statusLine?.startsWith('HTTP/1.0') === true;
  return option === 'close' || (isOld && option !== 'keep-alive');
}

/** As the real server answers the same request with another Connection: its header comes before Transfer-Encoding. */
function reconnected(headers: readonly (readonly [string, string])[], closes: boolean) {
  const rest = headers.filter(([name]) => name !== 'Connection');
  if (!closes) return rest;
  const at = rest.findIndex(([name]) => name === 'Transfer-Encoding');
  return rest.toSpliced(at === -1 ? rest.length : at, 0, ['Connection', 'close']);
}

function headText(statusLine: string, headers: readonly (readonly [string, string])[]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${statusLine}\r\n${lines.join('')}\r\n`;
}

/** Two chunks, so that whoever counts them cannot take one read for one body. */
function chunked(body: string): string {
  const half = body.length >> 1;
  const pieces = [body.slice(0, half), body.slice(half)].filter((piece) => piece !== '');
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return `${chunks.join('')}0\r\n\r\n`;
}
