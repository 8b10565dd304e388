/**
 * Tells how long a raw pipe has rested. The proxy cannot see a request in it: one that has answered, and where no byte
 * goes either way for a while, is taken to wait for its client.
 */
import type { Socket } from 'node:net';

type Bytes = Pick<Socket, 'bytesRead' | 'bytesWritten' | 'writableLength'>;

/** A volume server may be this silent over a request. */
const silenceMs = 10_000;

export class PipeQuiet {
  readonly #writtenBefore: number;
  #bytes = 0;
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(socket: Bytes) {
    this.#writtenBefore = socket.bytesWritten;
  }

  /** Called every so often. */
  look({ bytesRead, bytesWritten }: Bytes, nowMs: number): void {
    const bytes = bytesRead + bytesWritten;
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#sinceMs = nowMs;
  }

  /** Beyond `silenceMs`; 0: it may have a request or an answer. */
  restingMs({ bytesRead, bytesWritten, writableLength }: Bytes, nowMs: number): number {
    const hasAnswered = bytesWritten > this.#writtenBefore && writableLength === 0;
    if (!hasAnswered || bytesRead + bytesWritten !== this.#bytes) return 0;
    return Math.max(0, nowMs - this.#sinceMs - silenceMs);
  }
}
