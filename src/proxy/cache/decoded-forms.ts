import { LRUCache } from 'lru-cache';
import type { DecodeResult } from '../response/decode.ts';
import type { CachedNeedle } from './cached-needle.ts';

/**
 * Cached needles as they are after decoding, for clients that do not take gzip. They lie on the heap, not in the arena,
 * so they have a bound of their own.
 */
export class DecodedForms {
  readonly #underWay = new Map<CachedNeedle, Promise<DecodeResult>>();
  readonly #forms: LRUCache<CachedNeedle, Buffer> | undefined;

  /** `bytesMax` 0: none are kept. */
  constructor(bytesMax: number) {
    this.#forms =
      bytesMax === 0
        ? undefined
        : new LRUCache({ maxSize: bytesMax, sizeCalculation: (form) => form.length + 1 });
  }

  get bytes(): number {
    return (this.#forms?.calculatedSize ?? 0) - this.count;
  }

  get count(): number {
    return this.#forms?.size ?? 0;
  }

  has(needle: CachedNeedle): boolean {
    return this.#forms?.has(needle) ?? false;
  }

  get(needle: CachedNeedle): Buffer | undefined {
    return this.#forms?.get(needle);
  }

  /** Larger than all of the room: not kept. */
  put(needle: CachedNeedle, form: Buffer): void {
    if (needle.isLive) this.#forms?.set(needle, withoutSlack(form));
  }

  /** Runs `decode` unless it is running for this needle already. */
  once(needle: CachedNeedle, decode: () => Promise<DecodeResult>): Promise<DecodeResult> {
    let running = this.#underWay.get(needle);
    if (running === undefined) {
      running = decode().finally(() => this.#underWay.delete(needle));
      this.#underWay.set(needle, running);
    }
    return running;
  }

  delete(needle: CachedNeedle): void {
    this.#forms?.delete(needle);
  }
}

/** zlib's output is a piece of a larger buffer, which would stay with it uncounted. */
function withoutSlack(form: Buffer): Buffer {
  if (form.buffer.byteLength === form.length) return form;
  const own = Buffer.allocUnsafeSlow(form.length);
  form.copy(own);
  return own;
}
