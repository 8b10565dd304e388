/**
 * Makes one chunk of the many that a piece of a chunked body may have. Where chunks begin means nothing (RFC 9112 section 7.1), and Node with the way
 * behind it takes some 6 µs and 300 bytes for each, however short. Extensions are left out: they end at the proxy. Trailers stay, since Node judges them.
 */
import type { OnContent } from './request-body.ts';

export const pieceBytesMax: number = 8_192;
/** `2000` CRLF. */
const sizeLineBytesMax = 6;
const lineEndBytes = 2;
/** One for all: memory of its own for each piece would be as large as the piece, however little content is in it. */
const scratch = Buffer.alloc(sizeLineBytesMax + pieceBytesMax + lineEndBytes);

export class JoinedChunks {
  readonly #bytes: Buffer;
  #end = sizeLineBytesMax;

  /** @param bytes of a chunked body, size lines and all; at most {@link pieceBytesMax} */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Takes a stretch of the bytes that is content. */
  readonly add: OnContent = (from, to) => {
    if (to - from === 1) scratch[this.#end] = this.#bytes[from] as number;
    else this.#bytes.copy(scratch, this.#end, from, to);
    this.#end += to - from;
  };

  /**
   * All content as one chunk; without content empty. To be called before another object's `add`.
   *
   * @param trailers undefined: the body goes on
   */
  piece(trailers: string | undefined): Buffer {
    const contentBytes = this.#end - sizeLineBytesMax;
    let from = this.#end;
    if (contentBytes > 0) {
      const sizeLine = `${contentBytes.toString(16)}\r\n`;
      from = sizeLineBytesMax - sizeLine.length;
      scratch.write(sizeLine, from, 'latin1');
      this.#end += scratch.write('\r\n', this.#end, 'latin1');
    }
    const chunk = scratch.subarray(from, this.#end);
    if (trailers === undefined) return Buffer.from(chunk);
    return Buffer.concat([chunk, Buffer.from(`0\r\n${trailers}\r\n`, 'latin1')]);
  }
}
