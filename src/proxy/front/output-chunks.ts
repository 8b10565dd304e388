/**
 * Memory for small answers that leave in one write: used again and again, so that no answer costs an allocation. The
 * kernel takes nearly every one at once; a chunk that it did not take is given up to the socket, and a new one made.
 */

/** Heads are up to a few KiB. */
const headBytesMax = 4096;

export class OutputChunk {
  readonly #bytes: Buffer;
  /** Most answers are as long as the one before. */
  #view: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = bytes;
  }

  /** The chunk's first bytes; at most as many as were asked for. */
  view(bytes: number): Buffer {
    if (this.#view.length !== bytes) this.#view = this.#bytes.subarray(0, bytes);
    return this.#view;
  }
}

export class OutputChunks {
  /** Longer bodies are not meant to be copied here. */
  readonly bodyBytesMax: number;
  readonly #chunkBytes: number;
  readonly #idle: OutputChunk[] = [];

  constructor(bodyBytesMax: number) {
    this.bodyBytesMax = bodyBytesMax;
    this.#chunkBytes = bodyBytesMax + headBytesMax;
  }

  /** undefined: it would have to be larger. */
  take(bytes: number): OutputChunk | undefined {
    if (bytes > this.#chunkBytes) return undefined;
    return this.#idle.pop() ?? new OutputChunk(Buffer.allocUnsafeSlow(this.#chunkBytes));
  }

  /** Takes back a chunk whose bytes have left and are not held. */
  giveBack(chunk: OutputChunk): void {
    this.#idle.push(chunk);
  }
}
