/**
 * A volume server's place, taken by Node's own http server: a parser that shares no line with the lane's. It writes down
 * each request that it sees and answers with that request's name, so that an answer says whose it is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export class Application {
  /** "METHOD target" of each request, in the order in which their heads came. */
  seen: string[] = [];
  /** All of them, whole: name, headers as they came, body. */
  requests: string[] = [];
  /** Bytes of each connection, in the order in which they were accepted. */
  connections: Buffer[][] = [];
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server;
  readonly #isAnswered: (request: IncomingMessage, response: ServerResponse) => boolean;

  /**
   * `lenient`: takes bare line feeds, lengths beside chunks and much more that a strict parser refuses. `isAnswered`: answers
   * requests that are no client's, which are not written down.
   */
  static async start(
    lenient: boolean,
    isAnswered: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
  ): Promise<Application> {
    const application = new Application(lenient, isAnswered);
    await new Promise<void>((resolve) =>
      application.#server.listen(0, '127.0.0.1', () => resolve()),
    );
    return application;
  }

  private constructor(
    lenient: boolean,
    isAnswered: (request: IncomingMessage, response: ServerResponse) => boolean,
  ) {
    this.#isAnswered = isAnswered;
    this.#server = createServer({
      insecureHTTPParser: lenient,
      maxHeaderSize: 1_048_576,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
    });
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket) => this.#record(socket));
    this.#server.on('request', (request, response) => this.#answer(request, response));
    this.#server.on('connect', (request, socket) => {
      this.seen.push(nameOf(request));
      endSoon(socket, 'HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n');
    });
    this.#server.on('clientError', (_error, socket) =>
      endSoon(socket, 'HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #record(socket: Socket): void {
    const bytes: Buffer[] = [];
    this.connections.push(bytes);
    this.sockets.add(socket);
    socket.on('data', (chunk) => bytes.push(chunk));
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isAnswered(request, response)) return;
    this.seen.push(nameOf(request));
    const body: Buffer[] = [];
    request.on('data', (chunk: Buffer) => body.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const whole = Buffer.concat(body).toString('latin1');
      this.requests.push([nameOf(request), ...request.rawHeaders, whole].join('\n'));
      const text = answerBody(nameOf(request), whole);
      response.sendDate = false;
      response.writeHead(200, ['Content-Length', String(text.length)]);
      response.end(text, 'latin1');
    });
  }
}

/** Not at once: the answer to the request before may be on its way. */
function endSoon(socket: Duplex, text: string): void {
  setTimeout(() => {
    if (socket.writable) socket.end(text);
  }, 5);
}

function nameOf({ method, url }: IncomingMessage): string {
  return `${method} ${url}`;
}

/** What the application, or a cache in front of it, answers to the request of this name. */
export function answerBody(name: string, body: string): string {
  return `[${name} ${body.length} ${body.slice(0, 100)}]`;
}
