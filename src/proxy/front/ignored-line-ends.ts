/** Line ends that Go ignores behind a POST's body, as old clients send them: RFC 9112 section 2.2. */
import type { InputBuffer } from '../../http1/request-framer.ts';

const bytesMax = 4;

export class IgnoredLineEnds {
  /** Carriage returns and line feeds that may stand before the next request. */
  #bytesLeft = 0;

  /** A POST has come. */
  mayFollow(): void {
    this.#bytesLeft = bytesMax;
  }

  /** False: there is nothing behind them yet. */
  skip(unread: InputBuffer): boolean {
    if (this.#bytesLeft === 0) return true;
    const count = unread.consumeLineEnds(this.#bytesLeft);
    const isAll = unread.length === 0;
    this.#bytesLeft = isAll ? this.#bytesLeft - count : 0;
    return !isAll;
  }
}
