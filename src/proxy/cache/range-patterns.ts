/**
 * Which large needles are being read front to back in ranges. Random ranges do not pay for fetching the whole needle;
 * a third range in a row does, as most of what follows will be asked for as well.
 */
import { LRUCache } from 'lru-cache';

/** Ranges that continued the one before them; with the first, the third range in a row. */
const continuationsMin = 2;

interface Pattern {
  dataBytes: number;
  /** Where the last range read ended, exclusive; -1: none yet. */
  end: number;
  continuations: number;
  isGivenUp: boolean;
}

export class RangePatterns {
  readonly #patterns: LRUCache<bigint, Pattern>;

  constructor(entriesMax = 4096) {
    this.#patterns = new LRUCache({ max: entriesMax });
  }

  /** The needle turned out to be large. */
  noteSize(key: bigint, dataBytes: number): void {
    this.#patternOf(key).dataBytes = dataBytes;
  }

  isLarge(key: bigint): boolean {
    return this.sizeOf(key) > 0;
  }

  /** Data bytes; 0: not known to be large. */
  sizeOf(key: bigint): number {
    return this.#patterns.peek(key)?.dataBytes ?? 0;
  }

  /**
   * Records a read of `start` up to `end`, exclusive. True: it continues a sequential run, as at least the third range
   * of it. Gap or overlap may be as long as the range itself; a range that goes back, or stays, starts anew.
   */
  isSequential(key: bigint, start: number, end: number): boolean {
    const pattern = this.#patternOf(key);
    const distance = Math.abs(start - pattern.end);
    const continues = pattern.end >= 0 && end > pattern.end && distance <= end - start;
    pattern.continuations = continues ? pattern.continuations + 1 : 0;
    pattern.end = end;
    return pattern.continuations >= continuationsMin && !pattern.isGivenUp;
  }

  /** Called when a needle came whole and the cache refused it: its next runs are read range by range. */
  giveUp(key: bigint): void {
    this.#patternOf(key).isGivenUp = true;
  }

  #patternOf(key: bigint): Pattern {
    let pattern = this.#patterns.get(key);
    if (pattern === undefined) {
      pattern = { dataBytes: 0, end: -1, continuations: 0, isGivenUp: false };
      this.#patterns.set(key, pattern);
    }
    return pattern;
  }
}
