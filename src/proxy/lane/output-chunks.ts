/** Memory for small answers that leave in one write: used again and again, so that no answer costs an allocation. */

export class OutputChunk {
  readonly #bytes: Buffer;
  /** Most answers are as long as the one before. */
  #view: Buffer;
  /** It may be used again: call it when the bytes have left, or never will. Once for each `take`. */
  readonly giveBack: () => void;

  constructor(bytes: Buffer, giveBack: (chunk: OutputChunk) => void) {
    this.#bytes = bytes;
    this.#view = bytes;
    this.giveBack = () => giveBack(this);
  }

  /** Its first bytes; at most as many as were asked for. */
  view(bytes: number): Buffer {
    if (this.#view.length !== bytes) this.#view = this.#bytes.subarray(0, bytes);
    return this.#view;
  }
}

export class OutputChunks {
  readonly #chunkBytes: number;
  readonly #countMax: number;
  readonly #idle: OutputChunk[] = [];
  #count = 0;
  readonly #giveBack = (chunk: OutputChunk): void => {
    this.#idle.push(chunk);
  };

  constructor(chunkBytes: number, countMax: number) {
    this.#chunkBytes = chunkBytes;
    this.#countMax = countMax;
  }

  /** undefined: it would have to be larger, or all are being sent. */
  take(bytes: number): OutputChunk | undefined {
    if (bytes > this.#chunkBytes) return undefined;
    const idle = this.#idle.pop();
    if (idle !== undefined || this.#count === this.#countMax) return idle;
    this.#count += 1;
    return new OutputChunk(Buffer.allocUnsafeSlow(this.#chunkBytes), this.#giveBack);
  }
}
