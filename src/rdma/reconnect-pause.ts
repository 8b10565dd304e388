/**
 * How long a proxy waits before it tries to reach its target once more. All proxies lose a restarted target in the same
 * millisecond. Each draws its pause from the upper half of a range that doubles, so that they do not come back in step;
 * docs/decisions.md has the figures of other ways.
 */

const pauseMsMin = 100;
/** The fabric is back within 5 s of its target: this pause, an attempt that ran into its timeout, and a handshake. */
export const pauseMsMax = 3_500;
const doublingsMax = 10;

export class ReconnectPause {
  readonly #random: () => number;
  #attempts = 0;

  /** @param random in [0, 1) */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Failed attempts since `reset`. */
  get attempts(): number {
    return this.#attempts;
  }

  /** In milliseconds. @param isHopeless nothing gets better until an operator changes a configuration */
  next(isHopeless: boolean = false): number {
    const doubledMs = pauseMsMin * 2 ** Math.min(this.#attempts, doublingsMax);
    const pauseMs = isHopeless ? pauseMsMax : Math.min(pauseMsMax, doubledMs);
    this.#attempts += 1;
    return this.#spread(pauseMs);
  }

  /** In milliseconds: for the control connection alone, whose session may live on. */
  soon(): number {
    return this.#spread(pauseMsMin);
  }

  /** The target is up. */
  reset(): void {
    this.#attempts = 0;
  }

  #spread(pauseMs: number): number {
    return pauseMs * (0.5 + this.#random() / 2);
  }
}
