/** A client connection that shows what really came: status line, headers in order and casing, framing, close. */
import { connect, type Socket } from 'node:net';
import type { HeaderList } from './transcript.ts';

export interface ReceivedAnswer {
  readonly statusLine: string;
  readonly status: number;
  readonly headers: HeaderList;
  readonly truncatedHeaders: boolean;
  readonly framing: 'none' | 'length' | 'chunked' | 'eof';
  readonly complete: boolean;
  readonly body: Buffer;
}

export type Received =
  | { readonly kind: 'answer'; readonly answer: ReceivedAnswer }
  /** Closed without an answer. */
  | { readonly kind: 'eof' }
  | { readonly kind: 'garbage'; readonly text: string }
  | { readonly kind: 'timeout' };

class TimedOut extends Error {}

const answerTimeoutMs = 8_000;

export class RawConnection {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  /** The peer may answer and close before it has read everything. */
  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Nothing has closed this connection so far. */
  get isOpen(): boolean {
    return !this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  async receive(method: string): Promise<Received> {
    try {
      return await this.#receive(method);
    } catch (error) {
      if (error instanceof TimedOut) return { kind: 'timeout' };
      throw error;
    }
  }

  async #receive(method: string): Promise<Received> {
    const line = await this.#line();
    if (line === undefined) {
      const rest = await this.#toEnd();
      return rest.length === 0
        ? { kind: 'eof' }
        : { kind: 'garbage', text: rest.toString('latin1') };
    }
    const status = /^HTTP\/[^ ]* (\d+)/.exec(line);
    if (status === null) {
      const rest = await this.#toEnd();
      return { kind: 'garbage', text: `${line}\n${rest.toString('latin1')}` };
    }
    const headers: (readonly [string, string])[] = [];
    for (;;) {
      const text = await this.#line();
      if (text === '') break;
      if (text === undefined) {
        const answer = {
          statusLine: line,
          status: Number(status[1]),
          headers,
          body: Buffer.alloc(0),
        };
        return {
          kind: 'answer',
          answer: { ...answer, truncatedHeaders: true, framing: 'none', complete: false },
        };
      }
      const colon = text.indexOf(':');
      headers.push([text.slice(0, colon), text.slice(colon + 1).replace(/^ /, '')]);
    }
    const body = await this.#body(method, Number(status[1]), headers);
    const answer = {
      statusLine: line,
      status: Number(status[1]),
      headers,
      truncatedHeaders: false,
    };
    return { kind: 'answer', answer: { ...answer, ...body } };
  }

  async #body(
    method: string,
    status: number,
    headers: HeaderList,
  ): Promise<Pick<ReceivedAnswer, 'framing' | 'complete' | 'body'>> {
    const isBodiless = status === 204 || status === 304 || (status >= 100 && status < 200);
    if (method === 'HEAD' || isBodiless) {
      return { framing: 'none', complete: true, body: Buffer.alloc(0) };
    }
    const last = (name: string): string =>
      headers.findLast(([each]) => each.toLowerCase() === name)?.[1].trim() ?? '';
    if (/(^|,)\s*chunked$/i.test(last('transfer-encoding'))) return this.#chunkedBody();
    const length = last('content-length');
    if (!/^\d+$/.test(length)) {
      return { framing: 'eof', complete: true, body: await this.#toEnd() };
    }
    const body = await this.#take(Number(length));
    return { framing: 'length', complete: body.length === Number(length), body };
  }

  async #chunkedBody(): Promise<Pick<ReceivedAnswer, 'framing' | 'complete' | 'body'>> {
    const parts: Buffer[] = [];
    const result = (complete: boolean) =>
      ({ framing: 'chunked', complete, body: Buffer.concat(parts) }) as const;
    for (;;) {
      const size = /^\s*([0-9a-f]+)\s*(;.*)?$/i.exec((await this.#line()) ?? '');
      if (size === null) return result(false);
      const bytes = Number.parseInt(size[1] as string, 16);
      if (bytes === 0) break;
      const chunk = await this.#take(bytes);
      parts.push(chunk);
      if (chunk.length < bytes) return result(false);
      await this.#take(2);
    }
    for (;;) {
      const trailer = await this.#line();
      if (trailer === undefined) return result(false);
      if (trailer === '') return result(true);
    }
  }

  /** Without its line end; undefined when the connection ended before one. */
  async #line(): Promise<string | undefined> {
    for (;;) {
      const held = this.#held();
      const end = held.indexOf(0x0a);
      if (end !== -1) {
        this.#chunks = [held.subarray(end + 1)];
        return held.toString('latin1', 0, end).replace(/\r$/, '');
      }
      if (this.#ended) return undefined;
      await this.#more();
    }
  }

  /** Fewer bytes than asked for when the connection ended. */
  async #take(count: number): Promise<Buffer> {
    while (!this.#ended && this.#heldBytes() < count) await this.#more();
    const held = this.#held();
    this.#chunks = [held.subarray(count)];
    return held.subarray(0, count);
  }

  async #toEnd(): Promise<Buffer> {
    while (!this.#ended) await this.#more();
    return this.#take(this.#heldBytes());
  }

  #heldBytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  #held(): Buffer {
    const held = Buffer.concat(this.#chunks);
    this.#chunks = held.length === 0 ? [] : [held];
    return held;
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(new TimedOut());
      }, answerTimeoutMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
