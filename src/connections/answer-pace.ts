/**
 * Shares turns of the event loop among answers: hundreds of clients that read fast would else have all that the kernel takes of each of
 * theirs in one turn, a second of nothing else. Chunks cost time however few bytes they have: a volume server that sends nothing else is read
 * more slowly. Every answer completes.
 */

/** So much is read or sent in a turn, in all answers together; one piece of an answer may exceed it. Some 5 ms. */
export const turnBytesMax: number = 8 * 2 ** 20;
/** A byte of framing costs as many of the content. */
const framingCost = 128;
/** Framing counts where it has more than one byte for every eight of the content. */
const contentBytesPerFraming = 8;

interface Waiting {
  readonly goOn: () => void;
  /** The last piece's: the next one is taken to cost the same. */
  readonly cost: number;
}

export class AnswerPace {
  #cost = 0;
  #isTurnCounted = false;
  readonly #waiting: Waiting[] = [];

  /**
   * Counts a piece that was read or sent. False: the turn's share is used up, and this answer has no more of it until `goOn`.
   *
   * @param framingBytes so many of the bytes are no content
   */
  allows(bytes: number, framingBytes: number, goOn: () => void): boolean {
    const cost = isShortChunked(bytes, framingBytes) ? bytes + framingCost * framingBytes : bytes;
    this.#cost += cost;
    this.#countTurn();
    if (this.#cost <= turnBytesMax) return true;
    this.#waiting.push({ goOn, cost });
    return false;
  }

  #countTurn(): void {
    if (this.#isTurnCounted) return;
    this.#isTurnCounted = true;
    setImmediate(this.#endTurn);
  }

  /** Lets as many go on as may have the next turn, one at least: what they read is counted only when it comes. */
  readonly #endTurn = (): void => {
    this.#isTurnCounted = false;
    this.#cost = 0;
    let cost = 0;
    const chosen: Waiting[] = [];
    for (const each of this.#waiting) {
      if (chosen.length > 0 && cost + each.cost > turnBytesMax) break;
      cost += each.cost;
      chosen.push(each);
    }
    this.#waiting.splice(0, chosen.length);
    if (this.#waiting.length > 0) this.#countTurn();
    for (const { goOn } of chosen) goOn();
  };
}

/** @param framingBytes so many of the bytes that were read are no content */
export function isShortChunked(readBytes: number, framingBytes: number): boolean {
  return framingBytes * (contentBytesPerFraming + 1) > readBytes;
}
