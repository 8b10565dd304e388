/**
 * How many lines about one thing may be written in a minute: trouble that lasts must not fill a disk. What is held back
 * is counted and told when the minute is over. A timer runs only then.
 */

export const budgetMs = 60_000;

export interface LineBudgetOptions {
  readonly linesPerMinute: number;
  /** Called once for each minute in which lines were held back, and at `close`. */
  readonly onHeldBack: (lines: number) => void;
}

export class LineBudget {
  /** Lines held back in all minutes. */
  heldBackTotal = 0;
  readonly #onHeldBack: (lines: number) => void;
  #linesPerMinute: number;
  #left: number;
  #heldBack = 0;
  /** Monotonic. */
  #minuteEndsMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor({ linesPerMinute, onHeldBack }: LineBudgetOptions) {
    this.#linesPerMinute = linesPerMinute;
    this.#left = linesPerMinute;
    this.#onHeldBack = onHeldBack;
  }

  /** From the next minute on. */
  set linesPerMinute(lines: number) {
    this.#linesPerMinute = lines;
  }

  /** False: this line is held back. */
  take(): boolean {
    const nowMs = performance.now();
    if (nowMs >= this.#minuteEndsMs) {
      this.#tell();
      this.#minuteEndsMs = nowMs + budgetMs;
      this.#left = this.#linesPerMinute;
    }
    if (this.#left > 0) {
      this.#left -= 1;
      return true;
    }
    this.#heldBack += 1;
    this.heldBackTotal += 1;
    this.#timer ??= setTimeout(() => this.#tell(), this.#minuteEndsMs - nowMs).unref();
    return false;
  }

  /** Tells what was held back and not told yet. */
  close(): void {
    this.#tell();
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#heldBack;
    this.#heldBack = 0;
    if (lines > 0) this.#onHeldBack(lines);
  }
}
