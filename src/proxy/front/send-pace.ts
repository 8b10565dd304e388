/**
 * How much of a large answer a connection is given in one write. A write that is taken whole saves a wake-up on both
 * sides, so a client that reads fast gets much at a time; one that does not gets little, so that its progress is seen.
 */

const bytesMin = 131_072;
const bytesMax = 1_048_576;
const bytesFirst = 262_144;
/** A client that took longer for what it was given is slow. */
const slowMs = 250;
/** A client that is done by then may have more at a time. */
const fastMs = 50;

export class SendPace {
  #bytes = bytesFirst;

  get bytes(): number {
    return this.#bytes;
  }

  /** A write has left; true: slowly. */
  left(tookMs: number): boolean {
    const isSlow = tookMs > slowMs;
    if (isSlow) this.#bytes = bytesMin;
    else if (tookMs < fastMs) this.#bytes = Math.min(bytesMax, this.#bytes * 2);
    return isSlow;
  }
}
