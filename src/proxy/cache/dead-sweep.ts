import type { CachedNeedle } from './cached-volume.ts';
import type { EvictionReason, NeedleStore } from './needle-store.ts';

/** Needles that are taken out in one turn of the event loop: about a millisecond. */
const needlesPerTurn = 1000;

interface Dead {
  first: CachedNeedle | undefined;
  readonly reason: EvictionReason;
}

/**
 * Takes the needles of dropped volumes out of the store, some in each turn: a vacuum of a volume with a hundred thousand
 * cached needles must not hold up everybody else. They are dead from the first moment; only their memory takes so long.
 */
export class DeadSweep {
  readonly #store: NeedleStore<CachedNeedle>;
  readonly #dead: Dead[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(store: NeedleStore<CachedNeedle>) {
    this.#store = store;
  }

  /** `first`: with the others linked to it; no live needle is among them. */
  begin(first: CachedNeedle, reason: EvictionReason): void {
    this.#dead.push({ first, reason });
    if (this.#turn === undefined) this.#walk();
  }

  stop(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#dead.length = 0;
  }

  #walk(): void {
    this.#turn = undefined;
    let left = needlesPerTurn;
    for (let dead = this.#dead[0]; dead !== undefined && left > 0; dead = this.#dead[0]) {
      for (; dead.first !== undefined && left > 0; left -= 1) {
        const needle: CachedNeedle = dead.first;
        dead.first = needle.next;
        // The needle may have been evicted or replaced meanwhile.
        if (this.#store.peek(needle.key) === needle) this.#store.delete(needle.key, dead.reason);
      }
      if (dead.first === undefined) this.#dead.shift();
    }
    if (this.#dead.length > 0) this.#turn = setImmediate(() => this.#walk());
  }
}
