import type { DecodingRoom } from './decoding-room.ts';

/** From here on the collector is not waited for. Node's pool, which others share, is smaller. */
const freedBytesMin = 131_072;
/** More slack than this share of it is copied away. */
const slackShare = 1 / 16;

/**
 * A needle's bytes as they are after decoding, for clients that do not take gzip. Freed when it is neither held nor
 * kept.
 */
export class DecodedForm {
  readonly bytes: Buffer;
  readonly #room: DecodingRoom;
  #holds = 0;
  #isKept = false;

  /** `bytes`: owned by this form alone. */
  constructor(bytes: Buffer, room: DecodingRoom) {
    this.bytes = withoutSlack(bytes);
    this.#room = room;
  }

  get memoryBytes(): number {
    return this.bytes.buffer.byteLength;
  }

  /** Keeps the bytes until `endHold`. */
  hold(): void {
    if (this.#holds === 0) this.#room.hold(this.memoryBytes);
    this.#holds += 1;
  }

  /** Once for each hold. */
  endHold(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    this.#room.endHold(this.memoryBytes);
    this.#freeIfUnused();
  }

  /** The cache has it, until `leave`. */
  keep(): void {
    this.#isKept = true;
  }

  leave(): void {
    this.#isKept = false;
    if (this.#holds === 0) this.#freeIfUnused();
  }

  #freeIfUnused(): void {
    if (this.#isKept || this.memoryBytes < freedBytesMin) return;
    (this.bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/** zlib's output may be a piece of a larger buffer. */
function withoutSlack(bytes: Buffer): Buffer {
  const slackBytes = bytes.buffer.byteLength - bytes.length;
  if (slackBytes <= bytes.length * slackShare) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
