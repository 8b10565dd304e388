import type { CachedNeedle } from './cached-needle.ts';
import type { CachedVolume } from './cached-volume.ts';
import type { EvictionReason, NeedleStore } from './needle-store.ts';

/** Entries looked at in one turn of the event loop: about a millisecond. */
const entriesPerTurn = 1000;

/**
 * Takes the needles of dropped volumes out of the store, some in each turn: a vacuum of a volume with a hundred thousand
 * cached needles must not hold up everybody else. They are dead from the first moment; only their memory takes so long.
 */
export class DeadSweep {
  readonly #store: NeedleStore<CachedNeedle>;
  readonly #reasons = new Map<CachedVolume, EvictionReason>();
  #entries: Iterator<[bigint, CachedNeedle]> | undefined;
  /** A volume was dropped after the walk began: another one follows. */
  #isDue = false;
  #turn: NodeJS.Immediate | undefined;

  constructor(store: NeedleStore<CachedNeedle>) {
    this.#store = store;
  }

  begin(volume: CachedVolume, reason: EvictionReason): void {
    this.#reasons.set(volume, reason);
    this.#isDue = true;
    if (this.#turn === undefined && this.#entries === undefined) this.#walk();
  }

  stop(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#entries = undefined;
    this.#isDue = false;
  }

  #walk(): void {
    this.#turn = undefined;
    if (this.#entries === undefined) {
      this.#isDue = false;
      this.#entries = this.#store.entries()[Symbol.iterator]();
    }
    for (let count = 0; count < entriesPerTurn; count += 1) {
      const { done, value } = this.#entries.next();
      if (done === true) {
        this.#entries = undefined;
        break;
      }
      const [key, needle] = value;
      const reason = needle.isLive ? undefined : this.#reasons.get(needle.volume);
      if (reason !== undefined) this.#store.delete(key, reason);
    }
    if (this.#entries !== undefined || this.#isDue) this.#turn = setImmediate(() => this.#walk());
    else this.#reasons.clear();
  }
}
