/**
 * Memory for reading, used again and again: V8 answers what adds up outside of the heap with collections of the whole
 * heap, and these cost large bodies more than everything else.
 */

/** One read; pages that were never read into are not resident. */
const memoryBytes = 262_144;
/** Kept for later; more are left to the collector. */
const spareCountMax = 64;
const spare: ReadMemory[] = [];

export class ReadMemory {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(memoryBytes);
  /** True once lent: the reader must take another memory, also where this one was given back already. */
  wasLent = false;

  static take(): ReadMemory {
    const memory = spare.pop() ?? new ReadMemory();
    memory.wasLent = false;
    return memory;
  }

  /** Once: it is not read into until what is returned was called, once. */
  lend(): () => void {
    this.wasLent = true;
    return this.#giveBack;
  }

  readonly #giveBack = (): void => {
    if (spare.length < spareCountMax) spare.push(this);
  };
}

/** Bytes that are all of their memory, and that no code looks at any more. */
export function freeAtOnce({ buffer, byteLength }: Buffer): void {
  if (byteLength === buffer.byteLength) (buffer as ArrayBuffer).transfer(0);
}
