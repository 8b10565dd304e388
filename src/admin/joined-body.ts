/**
 * Joins the pieces in which a request's body comes. Node gives out each chunk by itself, however short, and a megabyte in chunks of one byte takes
 * 35 MB as text.
 */
import { Transform, type TransformCallback } from 'node:stream';

const joinedBytes = 4_096;

export class JoinedBody extends Transform {
  readonly #held = Buffer.allocUnsafe(joinedBytes);
  #heldBytes = 0;

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#heldBytes + piece.length > joinedBytes) this.#pushHeld();
    if (piece.length > joinedBytes) this.push(piece);
    else this.#heldBytes += piece.copy(this.#held, this.#heldBytes);
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#pushHeld();
    done();
  }

  #pushHeld(): void {
    if (this.#heldBytes > 0) this.push(Buffer.from(this.#held.subarray(0, this.#heldBytes)));
    this.#heldBytes = 0;
  }
}
