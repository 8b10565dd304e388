import type { CachedNeedle } from './cached-needle.ts';
import type { Validation, ValidationWaiter } from './group-validation.ts';
import type { Found, Seeker } from './needle-cache.ts';

/** A needle that was found, until a VALIDATE says whether it is fresh. */
export class CheckedHit implements ValidationWaiter {
  readonly #needle: CachedNeedle;
  readonly #seeker: Seeker;
  readonly #askedAtMs: number;
  readonly #judge: (needle: CachedNeedle, askedAtMs: number, validation: Validation) => Found;

  constructor(
    needle: CachedNeedle,
    seeker: Seeker,
    askedAtMs: number,
    judge: (needle: CachedNeedle, askedAtMs: number, validation: Validation) => Found,
  ) {
    this.#needle = needle;
    this.#seeker = seeker;
    this.#askedAtMs = askedAtMs;
    this.#judge = judge;
  }

  validated(validation: Validation): void {
    this.#seeker.found(this.#judge(this.#needle, this.#askedAtMs, validation));
  }
}
