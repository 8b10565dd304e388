/** Decoded forms: those of cached needles that are kept for the next request, and those that are being made. */
import { LRUCache } from 'lru-cache';
import type { DecodeResult } from '../../needle/answer/decode.ts';
import type { CachedNeedle } from './cached-volume.ts';
import { DecodedForm } from './decoded-form.ts';
import type { DecodingRoom } from './decoding-room.ts';

export type Made =
  /** Held for the caller. */
  | { readonly kind: 'form'; readonly form: DecodedForm }
  /** `no-room`: others have all that there may be; nothing was begun. */
  | { readonly kind: 'corrupt' | 'too-large' | 'no-room' };

/** A request to decode a needle. */
export interface Decoding {
  /**
   * Identity of the bytes: callers that ask for the same ones meanwhile share the form. It is a cached needle, whose
   * position moves on though its bytes stay, or the state for which a target returned these bytes.
   */
  readonly key: CachedNeedle | string;
  /** Decoded size according to the stored bytes; it may be a lie. */
  readonly toldBytes: number;
  /** Larger ones are not decoded. */
  readonly maxBytes: number;
  /** Never takes more memory than twice `maxBytes`, and no more than that once where it is what was told. */
  readonly decode: (maxBytes: number) => Promise<DecodeResult>;
}

const noRoom: Made = { kind: 'no-room' };
const tooLarge: Made = { kind: 'too-large' };

export class DecodedForms {
  readonly #room: DecodingRoom;
  readonly #underWay = new Map<CachedNeedle | string, Promise<Made>>();
  readonly #forms: LRUCache<CachedNeedle, DecodedForm> | undefined;

  /** `bytesMax` 0: none are kept. */
  constructor(bytesMax: number, room: DecodingRoom) {
    this.#room = room;
    this.#forms =
      bytesMax === 0
        ? undefined
        : new LRUCache({
            maxSize: bytesMax,
            sizeCalculation: (form) => form.memoryBytes + 1,
            dispose: (form) => form.leave(),
          });
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

  /** Not held. */
  get(needle: CachedNeedle): DecodedForm | undefined {
    return this.#forms?.get(needle);
  }

  /** Larger than all of the room: not kept. */
  put(needle: CachedNeedle, form: DecodedForm): void {
    if (!needle.isLive || this.#forms === undefined || this.#forms.peek(needle) === form) return;
    this.#forms.set(needle, form);
    if (this.#forms.peek(needle) === form) form.keep();
  }

  delete(needle: CachedNeedle): void {
    this.#forms?.delete(needle);
  }

  /** Once for all who ask meanwhile. */
  async make(decoding: Decoding): Promise<Made> {
    const made = await (this.#underWay.get(decoding.key) ?? this.#begin(decoding));
    if (made.kind === 'form') made.form.hold();
    return made;
  }

  #begin(decoding: Decoding): Promise<Made> {
    const { key } = decoding;
    const running = this.#decode(decoding).then((made) => {
      this.#underWay.delete(key);
      // Callers that waited have their own holds by then.
      if (made.kind === 'form') setImmediate(() => made.form.endHold());
      return made;
    });
    this.#underWay.set(key, running);
    running.catch(() => this.#underWay.delete(key));
    return running;
  }

  async #decode({ toldBytes, maxBytes, decode }: Decoding): Promise<Made> {
    if (toldBytes > maxBytes) return tooLarge;
    const made = await this.#within(toldBytes, () => decode(toldBytes));
    // Several members, or an end that lies. Members are put together from pieces: that is twice the memory.
    return made.kind === 'too-large' ? this.#within(maxBytes * 2, () => decode(maxBytes)) : made;
  }

  async #within(claimBytes: number, decode: () => Promise<DecodeResult>): Promise<Made> {
    if (!this.#room.claim(claimBytes)) return noRoom;
    try {
      const result = await decode();
      if (result.kind !== 'decoded') return result;
      const form = new DecodedForm(result.bytes, this.#room);
      form.hold();
      return { kind: 'form', form };
    } finally {
      this.#room.endClaim(claimBytes);
    }
  }
}
