/** A hit that waits for a VALIDATE. */
import type { CachedNeedle } from './cached-volume.ts';
import type { Seeker } from './found.ts';
import type { Validation, Waiter } from './group-validation.ts';

export type OnValidated = (hit: WaitingHit, validation: Validation, nowMs: number) => void;

/** A needle that was found, until a VALIDATE says whether it is fresh. */
export class WaitingHit implements Waiter {
  readonly needle: CachedNeedle;
  readonly seeker: Seeker;
  /** Monotonic. */
  readonly askedAtMs: number;
  readonly #onValidated: OnValidated;

  constructor(needle: CachedNeedle, seeker: Seeker, askedAtMs: number, onValidated: OnValidated) {
    this.needle = needle;
    this.seeker = seeker;
    this.askedAtMs = askedAtMs;
    this.#onValidated = onValidated;
  }

  validated(validation: Validation, nowMs: number): void {
    this.#onValidated(this, validation, nowMs);
  }
}
