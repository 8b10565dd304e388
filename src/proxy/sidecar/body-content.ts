/**
 * The wanted bytes of one answer's body, copied out of the connection's memory into one buffer: an object for each chunk
 * would cost many times the bytes of short chunks.
 */
import type { AnswerFraming } from '../../http1/answer-body.ts';

export interface WantedBody {
  /** How many bytes are dropped before those that are held. */
  readonly offset: number;
  /** So many are held. */
  readonly bytesMax: number;
  /** A longer body is read no further. */
  readonly readBytesMax: number;
}

/** Framing may have so many bytes, and one for every eight of the content. */
const framingBytesMax = 65_536;
const contentBytesPerFraming = 8;

export class BodyContent {
  readonly readBytesMax: number;
  readonly #offset: number;
  readonly #bytesMax: number;
  #memory: Buffer = Buffer.alloc(0);
  #heldBytes = 0;
  #bodyBytes = 0;
  #takenBytes = 0;

  constructor({ offset, bytesMax, readBytesMax }: WantedBody, framing: AnswerFraming) {
    const told = framing.kind === 'length' ? Math.max(0, framing.bytes - offset) : bytesMax;
    this.readBytesMax = readBytesMax;
    this.#offset = offset;
    this.#bytesMax = Math.min(bytesMax, told);
  }

  get held(): Buffer {
    return this.#memory.subarray(0, this.#heldBytes);
  }

  /** Content so far, held or not. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Each chunk costs time however short it is: millions of them would hold up all other requests. */
  get isMostlyFraming(): boolean {
    const framingBytes = this.#takenBytes - this.#bodyBytes;
    return framingBytes > framingBytesMax + this.#bodyBytes / contentBytesPerFraming;
  }

  /** The next stretch of content; its memory may change afterwards. */
  add(content: Buffer): void {
    const from = Math.max(0, this.#offset - this.#bodyBytes);
    const bytes = Math.min(content.length - from, this.#bytesMax - this.#heldBytes);
    this.#bodyBytes += content.length;
    if (bytes <= 0) return;
    this.#makeRoom(this.#heldBytes + bytes);
    content.copy(this.#memory, this.#heldBytes, from, from + bytes);
    this.#heldBytes += bytes;
  }

  /** Bytes that were taken from the connection, framing included. */
  count(takenBytes: number): void {
    this.#takenBytes += takenBytes;
  }

  /** Doubles the memory, but never beyond what is wanted. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#memory.length) return;
    const larger = Buffer.allocUnsafeSlow(
      Math.min(this.#bytesMax, Math.max(bytes, 2 * this.#memory.length)),
    );
    this.#memory.copy(larger, 0, 0, this.#heldBytes);
    this.#memory = larger;
  }
}
