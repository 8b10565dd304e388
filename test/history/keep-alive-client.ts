/**
 * One keep-alive connection, one request at a time, over a bare socket: a load of thousands of reads a second must not be
 * spent in the client. Rejects when the answer is cut off, late, or framed otherwise than by its length.
 */
import { connect, type Socket } from 'node:net';

export interface ClientAnswer {
  readonly status: number;
  /** Names in lower case; of several with one name the last. */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty for HEAD, 204 and 304. */
  readonly body: Buffer;
}

export interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Waiting {
  readonly method: string;
  resolve(answer: ClientAnswer): void;
  reject(error: Error): void;
}

interface AnswerHead {
  readonly answer: Omit<ClientAnswer, 'body'>;
  readonly headBytes: number;
  readonly bodyBytes: number;
}

const answerTimeoutMs = 30_000;

export class KeepAliveClient {
  readonly #port: number;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #head: AnswerHead | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  request({ method, path, headers = {}, body }: ClientRequest): Promise<ClientAnswer> {
    if (this.#waiting !== undefined) throw new Error('one request at a time');
    this.#socket ??= this.#open();
    const socket = this.#socket;
    let head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (body !== undefined) head += `Content-Length: ${body.length}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = { method, resolve, reject };
      socket.write(`${head}\r\n`, 'latin1');
      if (body !== undefined) socket.write(body);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#end(socket, error));
    socket.on('close', () => this.#end(socket, new Error('closed before the answer was whole')));
    return socket;
  }

  #end(socket: Socket, error: Error): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#clear()?.reject(error);
  }

  #clear(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#chunks = [];
    this.#bytes = 0;
    this.#head = undefined;
    return waiting;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#head ??= this.#parseHead();
    if (this.#head === undefined) return;
    const { answer, headBytes, bodyBytes } = this.#head;
    if (this.#bytes < headBytes + bodyBytes) return;
    const all = this.#joined();
    const isOver = this.#bytes > headBytes + bodyBytes;
    const closes = /close/i.test(answer.headers.get('connection') ?? '');
    const socket = this.#socket;
    const waiting = this.#clear();
    if (closes || isOver) {
      this.#socket = undefined;
      socket?.destroy();
    }
    if (isOver) waiting?.reject(new Error('more bytes than the answer has'));
    else waiting?.resolve({ ...answer, body: all.subarray(headBytes) });
  }

  #joined(): Buffer {
    const [first, second] = this.#chunks;
    if (first !== undefined && second === undefined) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #parseHead(): AnswerHead | undefined {
    const all = this.#joined();
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = all.toString('latin1', 0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const isBodiless = this.#waiting?.method === 'HEAD' || status === 204 || status === 304;
    const length = isBodiless ? '0' : (headers.get('content-length') ?? '');
    if (status === 0 || !/^\d+$/.test(length) || this.#waiting === undefined) {
      this.#socket?.destroy(new Error(`an answer that is not understood: ${statusLine}`));
      return undefined;
    }
    return { answer: { status, headers }, headBytes: end + 4, bodyBytes: Number(length) };
  }
}
