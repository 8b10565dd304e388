import type { CachedNeedle } from './cached-needle.ts';
import type { Found, Seeker } from './found.ts';
import type { Validation, ValidationWaiter } from './group-validation.ts';

type Judge = (needle: CachedNeedle, validation: Validation, waitedMs: number) => Found;

/** A needle that was found, until a VALIDATE says whether it is fresh. */
export class CheckedHit implements ValidationWaiter {
  readonly #needle: CachedNeedle;
  readonly #seeker: Seeker;
  readonly #askedAtMs: number;
  readonly #judge: Judge;

  constructor(needle: CachedNeedle, seeker: Seeker, askedAtMs: number, judge: Judge) {
    this.#needle = needle;
    this.#seeker = seeker;
    this.#askedAtMs = askedAtMs;
    this.#judge = judge;
  }

  validated(validation: Validation, nowMs: number): void {
    this.#seeker.found(this.#judge(this.#needle, validation, nowMs - this.#askedAtMs));
  }
}
