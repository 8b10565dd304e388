const empty: Buffer = Buffer.alloc(0);

/**
 * Bytes that arrived on a client connection and were not looked at yet. Grows by doubling, so that a head that
 * comes byte by byte costs linear time; never moves or overwrites bytes that it handed out.
 */
export class InputBuffer {
  #bytes: Buffer = empty;
  #start = 0;
  #end = 0;
  /** A chunk that a socket read belongs to another owner; only a buffer of our own is written into. */
  #owned = false;

  get length(): number {
    return this.#end - this.#start;
  }

  /** The buffered bytes; the view stays valid and unchanged after later calls. */
  view(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    const bytes = this.length;
    if (this.#end + chunk.length > this.#bytes.length || !this.#owned) this.#grow(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end = this.#start + bytes + chunk.length;
  }

  consume(byteCount: number): void {
    this.#start += byteCount;
    if (this.#start < this.#end) return;
    this.#bytes = empty;
    this.#owned = false;
    this.#start = 0;
    this.#end = 0;
  }

  /** Carriage returns and line feeds at the start, so many at most; returns how many there were. */
  consumeLineEnds(countMax: number): number {
    const bytes = this.view();
    let count = 0;
    while (count < countMax && (bytes[count] === 0x0d || bytes[count] === 0x0a)) count += 1;
    this.consume(count);
    return count;
  }

  #grow(moreBytes: number): void {
    const bytes = this.length;
    const larger = Buffer.allocUnsafeSlow(Math.max(1024, (bytes + moreBytes) * 2));
    this.#bytes.copy(larger, 0, this.#start, this.#end);
    this.#bytes = larger;
    this.#owned = true;
    this.#start = 0;
    this.#end = bytes;
  }
}
