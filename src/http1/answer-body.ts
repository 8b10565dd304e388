/** Counts which bytes of a volume server's connection belong to the answer in hand. */
import type { AnswerFraming } from './answer-framing.ts';
import { RequestBody } from './request-body.ts';

export class AnswerBody {
  readonly endsWithConnection: boolean;
  #leftBytes: number;
  #ownBytes = 0;
  /** Chunks of answers are framed as those of requests are. */
  readonly #chunks: RequestBody | undefined;

  constructor(framing: AnswerFraming) {
    this.endsWithConnection = framing.kind === 'eof';
    this.#chunks = framing.kind === 'chunked' ? new RequestBody(framing) : undefined;
    if (framing.kind === 'length') this.#leftBytes = framing.bytes;
    else this.#leftBytes = this.endsWithConnection ? Number.POSITIVE_INFINITY : 0;
  }

  get done(): boolean {
    return this.#chunks?.done ?? this.#leftBytes === 0;
  }

  /** Bytes of the body taken so far, framing left out. */
  get ownBytes(): number {
    return this.#chunks?.chunkBytes ?? this.#ownBytes;
  }

  /** How many of the bytes, from their start, belong to this answer; undefined: its framing is broken. */
  take(bytes: Buffer): number | undefined {
    if (this.#chunks !== undefined) return this.#chunks.take(bytes);
    const taken = Math.min(bytes.length, this.#leftBytes);
    this.#leftBytes -= taken;
    this.#ownBytes += taken;
    return taken;
  }
}
