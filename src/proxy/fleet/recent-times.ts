/** A percentile of the latest durations. Sorted anew every so often: between, it is the one of a moment ago. */

/** Older ones are forgotten: at a thousand reads a second the last second counts. */
const timesMax = 1_024;
/** Sorting takes some 50 µs, so much less than a microsecond for each. */
const sortEvery = 64;

export class RecentTimes {
  readonly #share: number;
  readonly #countMin: number;
  readonly #times = new Float64Array(timesMax);
  #count = 0;
  #untilSort: number;
  #value: number | undefined;

  /** @param share 0.99 for the 99th percentile. @param countMin there is none of fewer durations */
  constructor(share: number, countMin: number) {
    this.#share = share;
    this.#countMin = countMin;
    this.#untilSort = countMin;
  }

  /** In milliseconds; undefined: too few are known. */
  get value(): number | undefined {
    return this.#value;
  }

  add(durationMs: number): void {
    this.#times[this.#count % timesMax] = durationMs;
    this.#count += 1;
    this.#untilSort -= 1;
    if (this.#untilSort > 0) return;
    this.#untilSort = Math.min(sortEvery, this.#countMin);
    const sorted = this.#times.slice(0, Math.min(this.#count, timesMax)).sort();
    this.#value = sorted[Math.ceil(sorted.length * this.#share) - 1];
  }
}
