/** A volume server that is not listened to any more may still carry out what it was told, for about this long. */
const lastsMs = 120_000;
/** More at a time: no needle of the volume is cached for as long. */
const needlesMax = 1024;

/** Needles with a write or delete that was forwarded and never answered: their READs may be of before it. */
export class UnsettledWrites {
  readonly #untilMs = new Map<bigint, number>();
  #allUntilMs = 0;

  add(key: bigint): void {
    const nowMs = performance.now();
    this.#forgetOld(nowMs);
    if (this.#untilMs.size >= needlesMax) {
      this.#allUntilMs = nowMs + lastsMs;
      this.#untilMs.clear();
    }
    this.#untilMs.delete(key);
    this.#untilMs.set(key, nowMs + lastsMs);
  }

  has(key: bigint): boolean {
    if (this.#untilMs.size === 0 && this.#allUntilMs === 0) return false;
    const nowMs = performance.now();
    return nowMs < this.#allUntilMs || nowMs < (this.#untilMs.get(key) ?? 0);
  }

  /** The oldest come first. */
  #forgetOld(nowMs: number): void {
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) return;
      this.#untilMs.delete(key);
    }
  }
}
