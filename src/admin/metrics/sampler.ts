/** Chooses requests that are worth a closer look: all of them while there are few, by chance one in several else. */

/** In a second. */
export const looksPerSecondMax = 1_000;

export class Sampler {
  #every = 1;
  #untilNext = 1;
  #looks = 0;
  #requests = 0;

  /** One in so many is chosen now. */
  get every(): number {
    return this.#every;
  }

  /** Called for each request. Returns how many requests this one stands for; 0: it is not chosen. */
  take(): number {
    this.#requests += 1;
    this.#untilNext -= 1;
    if (this.#untilNext > 0) return 0;
    const weight = this.#every;
    this.#looks += 1;
    if (this.#looks >= looksPerSecondMax) {
      this.#looks = 0;
      this.#every *= 2;
    }
    // The next sample is drawn by chance: traffic that repeats itself must not be met in step.
    this.#untilNext = 1 + Math.floor(Math.random() * (2 * this.#every - 1));
    return weight;
  }

  tick(seconds: number): void {
    this.#every = Math.max(1, Math.ceil(this.#requests / seconds / looksPerSecondMax));
    this.#untilNext = Math.min(this.#untilNext, this.#every);
    this.#requests = 0;
    this.#looks = 0;
  }
}
