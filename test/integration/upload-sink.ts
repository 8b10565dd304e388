/** A volume server that hashes what is uploaded to it and may stop reading. */
import { createHash, type Hash } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { ok } from './http-front-fixture.ts';

export interface Upload {
  readonly bytes: number;
  readonly sha256: string;
}

export class UploadSink {
  readonly uploads: Upload[] = [];
  readonly sockets: Set<Socket> = new Set();
  isPaused = false;
  readonly #server = createServer((socket) => this.#accept(socket));

  static async start(): Promise<UploadSink> {
    const sink = new UploadSink();
    await new Promise<void>((resolve) => sink.#server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  resume(): void {
    this.isPaused = false;
    for (const socket of this.sockets) socket.resume();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    const reader = new RequestReader((upload) => {
      this.uploads.push(upload);
      socket.write(ok);
    });
    socket.on('data', (chunk) => reader.take(chunk));
    if (this.isPaused) socket.pause();
  }
}

class RequestReader {
  readonly #done: (upload: Upload) => void;
  #head = '';
  #leftBytes = -1;
  #bytes = 0;
  #hash: Hash = createHash('sha256');

  constructor(done: (upload: Upload) => void) {
    this.#done = done;
  }

  take(chunk: Buffer): void {
    let rest = chunk;
    if (this.#leftBytes < 0) {
      const earlierBytes = this.#head.length;
      this.#head += rest.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      rest = rest.subarray(end + 4 - earlierBytes);
      this.#leftBytes = Number(/content-length: *(\d+)/i.exec(this.#head)?.[1] ?? 0);
    }
    const body = rest.subarray(0, this.#leftBytes);
    this.#hash.update(body);
    this.#bytes += body.length;
    this.#leftBytes -= body.length;
    if (this.#leftBytes > 0) return;
    const upload = { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
    this.#head = '';
    this.#leftBytes = -1;
    this.#bytes = 0;
    this.#hash = createHash('sha256');
    this.#done(upload);
    if (rest.length > body.length) this.take(rest.subarray(body.length));
  }
}
