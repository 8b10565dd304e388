/** A front with a scripted corridor, a volume server of raw sockets behind it, and a client that sees every byte. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import pino from 'pino';
import type { RequestHead } from '../../src/http1/request-head.ts';
import type { NeedleOutcome, NeedleRoute } from '../../src/needle/needle-outcome.ts';
import type { RequestRecord } from '../../src/needle/request-record.ts';
import type { FrontLimits } from '../../src/proxy/front/limits.ts';
import { type HttpFront, startHttpFront } from '../../src/proxy/front/server.ts';
import { forwarders } from '../../src/proxy/passthrough/forwarders.ts';

export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** One request as the volume server received it. */
export interface Received {
  readonly head: string;
  readonly body: string;
  readonly socket: Socket;
  /** How many requests this connection carried before. */
  readonly earlier: number;
}

export interface UpstreamFixture {
  readonly url: string;
  readonly received: Received[];
  readonly sockets: Set<Socket>;
  /** Connections ever made. */
  readonly accepted: () => number;
  close(): Promise<void>;
}

/** Reads heads and bodies; `answer` writes what it likes. */
export async function startUpstream(answer: (request: Received) => void): Promise<UpstreamFixture> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let text = '';
    let earlier = 0;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const end = text.search(/\r?\n\r?\n/);
        if (end < 0) return;
        const headEnd = end + (/^\r?\n\r?\n/.exec(text.slice(end))?.[0].length ?? 0);
        const head = text.slice(0, headEnd);
        const framed = bodyOf(head, text.slice(headEnd));
        if (framed === undefined) return;
        const { body } = framed;
        text = text.slice(headEnd + framed.bytes);
        const request = { head, body, socket, earlier };
        earlier += 1;
        received.push(request);
        answer(request);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    sockets,
    accepted: () => accepted,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** undefined: the body has not ended. `bytes` counts its framing too. */
function bodyOf(
  head: string,
  rest: string,
): { readonly body: string; readonly bytes: number } | undefined {
  if (!/\r\ntransfer-encoding: *chunked\r\n/i.test(head) || /content-length/i.test(head)) {
    const bytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    return rest.length < bytes ? undefined : { body: rest.slice(0, bytes), bytes };
  }
  let body = '';
  let at = 0;
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const chunkBytes = Number.parseInt(rest.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + chunkBytes + 2;
    if (rest.length < end) return undefined;
    if (chunkBytes === 0) return { body, bytes: end };
    body += rest.slice(lineEnd + 2, end - 2);
    at = end;
  }
}

export const generousLimits: FrontLimits = {
  connections: 1_000,
  requestsInFlight: 1_000,
  bytesInFlight: 256 * 1_048_576,
  connectionBytes: 8 * 1_048_576,
  headBytes: 65_536,
  headTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  bodyTimeoutMs: 30_000,
  bodyBytesMin: 4_096,
  upstreamConnectTimeoutMs: 5_000,
  upstreamTimeoutMs: 120_000,
};

export interface FrontFixture {
  readonly front: HttpFront;
  readonly records: RequestRecord[];
  /** @param from the address that it comes from */
  connect(from?: string): RawClient;
  close(): Promise<void>;
}

export interface FrontFixtureOptions {
  readonly upstreamUrl: string;
  readonly limits?: Partial<FrontLimits>;
  readonly lane?: boolean;
  readonly debugHeaders?: boolean;
  readonly copiedBytesMax?: number;
  /** In place of one made of `serve`. */
  readonly route?: NeedleRoute;
  /** Without it every request passes with reason `off`. */
  readonly serve?: (head: RequestHead, hasBody: boolean) => Promise<NeedleOutcome> | NeedleOutcome;
}

/** A corridor that answers by a function: at once, or later where that gives a promise. */
export function routeOf(upstreamUrl: string, serve: FrontFixtureOptions['serve']): NeedleRoute {
  return {
    serve(head, hasBody, receiver): void {
      const outcome = serve?.(head, hasBody) ?? passed(upstreamUrl);
      if (!(outcome instanceof Promise)) receiver.receive(outcome);
      else outcome.then((value) => receiver.receive(value)).catch((error) => receiver.fail(error));
    },
    upstreamFor: () => upstreamUrl,
  };
}

export async function startFront(options: FrontFixtureOptions): Promise<FrontFixture> {
  const { upstreamUrl } = options;
  const records: RequestRecord[] = [];
  const clients = new Set<RawClient>();
  const front = await startHttpFront(
    {
      listen: { host: '127.0.0.1', port: 0 },
      lane: options.lane ?? true,
      debugHeaders: options.debugHeaders ?? false,
      limits: { ...generousLimits, ...options.limits },
      ...(options.copiedBytesMax !== undefined && { copiedBytesMax: options.copiedBytesMax }),
      logger: pino({ level: 'silent' }),
    },
    options.route ?? routeOf(upstreamUrl, options.serve),
    forwarders,
    (record) => records.push(record),
  );
  return {
    front,
    records,
    connect(from) {
      const client = new RawClient(front.port, from);
      clients.add(client);
      return client;
    },
    async close() {
      for (const client of clients) client.socket.destroy();
      await front.close(0);
    },
  };
}

export function passed(upstreamUrl: string): NeedleOutcome {
  return { kind: 'passthrough', reason: 'off', upstreamUrl };
}

/** A needle answer made of `body`; `releases` counts. */
export function needleAnswer(
  body: Buffer,
  releases: { count: number } = { count: 0 },
  close = false,
): NeedleOutcome {
  const closeLine = close ? 'Connection: close\r\n' : '';
  return {
    kind: 'answer',
    source: 'cache',
    transport: 'tcp',
    sessionId: 0n,
    cacheStatus: 'hit',
    close,
    answer: {
      status: 200,
      head: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nServer: s\r\n${closeLine}\r\n`,
      body: [body],
      bodyBytes: body.length,
      totalBytes: body.length,
    },
    release: () => {
      releases.count += 1;
    },
  };
}

/** Bytes out, bytes in, latin1. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  closed = false;
  /** A client without another sign takes all that came before an `end` for whole. */
  ending: 'end' | 'reset' | undefined;
  #changed: () => void = () => undefined;

  constructor(port: number, from = '127.0.0.1') {
    const ends = { host: '127.0.0.1', port, localAddress: from };
    this.socket = connect({ ...ends, allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
      this.#changed();
    });
    this.socket.on('error', () => {
      this.ending ??= 'reset';
    });
    this.socket.on('end', () => {
      this.ending ??= 'end';
    });
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.closed = true;
        this.#changed();
      });
    }
  }

  send(text: string | Buffer): void {
    this.socket.write(text as string, 'latin1');
  }

  /** Rejects if the bytes have not come in time, or the connection ended without them. */
  async until(done: (received: string) => boolean): Promise<string> {
    await this.#wait(() => done(this.received) || this.closed);
    if (!done(this.received)) {
      throw new Error(`connection closed; received ${JSON.stringify(this.received.slice(0, 500))}`);
    }
    return this.received;
  }

  async untilClosed(): Promise<string> {
    await this.#wait(() => this.closed);
    return this.received;
  }

  #wait(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new Error(`timed out; received ${JSON.stringify(this.received.slice(0, 500))}`)),
        10_000,
      );
      this.#changed = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
      this.#changed();
    });
  }
}

/** Polls, as what it waits for happens in other sockets. */
export async function eventually(condition: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
