/**
 * Shares turns of the event loop among the answers whose chunks are short. Chunks cost time however few bytes they
 * have: a volume server that sends nothing else would keep the proxy from all other connections. Such answers are read
 * more slowly, and complete.
 */

/** So much framing is read in a turn, in all answers together; one read, of at most 256 KiB, may exceed it. */
const turnFramingBytesMax = 65_536;
/** Framing counts where it has more than one byte for every eight of the content. */
const contentBytesPerFraming = 8;

export class FramingPace {
  #framingBytes = 0;
  #isTurnCounted = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * Counts one read. False: the turn's share is used up, and no more is to be read of this answer until `goOn`.
   *
   * @param framingBytes so many of the bytes that were read are no content
   */
  allows(readBytes: number, framingBytes: number, goOn: () => void): boolean {
    if (!isShortChunked(readBytes, framingBytes)) return true;
    this.#framingBytes += framingBytes;
    this.#countTurn();
    if (this.#framingBytes <= turnFramingBytesMax) return true;
    this.#waiting.push(goOn);
    return false;
  }

  #countTurn(): void {
    if (this.#isTurnCounted) return;
    this.#isTurnCounted = true;
    setImmediate(this.#endTurn);
  }

  /** One answer goes on in each turn: what it reads is counted only when it comes. */
  readonly #endTurn = (): void => {
    this.#isTurnCounted = false;
    this.#framingBytes = 0;
    const goOn = this.#waiting.shift();
    if (this.#waiting.length > 0) this.#countTurn();
    goOn?.();
  };
}

/** @param framingBytes so many of the bytes that were read are no content */
export function isShortChunked(readBytes: number, framingBytes: number): boolean {
  return framingBytes * (contentBytesPerFraming + 1) > readBytes;
}
