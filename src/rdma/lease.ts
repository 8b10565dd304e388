import { RdmaMisuseError } from './errors.ts';

/**
 * A counted hold on a needle's bytes in the arena. A reader of the view holds a lease; the last release returns the
 * slab. Releasing while a socket write is pending shows the next owner's bytes to a client: release in the write's
 * callback or on close.
 */
export interface Lease {
  /** Bytes held in the arena. */
  readonly bytes: number;
  /** Another hold on the same bytes; each must be released once. */
  share(): Lease;
  /**
   * Hands the bytes to a keeper, in place of `release`; `view` is what came with the lease. Throws RdmaMisuseError for a
   * lease that is shared or released.
   */
  keep(view: Buffer): KeptBytes;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}

/**
 * Bytes that stay in the arena until their keeper lets go, small enough to be held a million times. Forgetting one is a
 * leak that no finalizer finds; what it lends is watched like any lease.
 */
export interface KeptBytes {
  readonly bytes: number;
  /** The bytes with a lease of their own. Throws RdmaMisuseError once they are neither kept, lent nor held. */
  lend(): { readonly view: Buffer; readonly lease: Lease };
  /**
   * Holds the bytes for a caller that copies them in a moment, cheaper than a lease and not watched like one: they stay
   * until `endHold`, called once for each, though the keeper lets go. Throws as `lend` does.
   */
  hold(): void;
  endHold(): void;
  /** All of them, to `target` from `at` on. Throws as `lend` does. */
  copyTo(target: Buffer, at: number): void;
  /** The slab goes home with the last loan and the last hold. Idempotent. */
  release(): void;
}

/** The native hold that the shares of one lease have in common. */
interface Hold {
  handle: number;
  bytes: number;
  shares: number;
  /** The owner of the lent bytes; undefined: the pool's own. */
  keeper: ArenaBytes | undefined;
}

/**
 * Reachable from the shares of one lease alone, so it is collected exactly when all of them were forgotten. Tokens are
 * used again, which spares each fetch a registration; shares never are, so that a second release stays harmless.
 */
class Token {
  readonly hold: Hold;

  constructor(hold: Hold) {
    this.hold = hold;
  }
}

/** Makes the leases of one arena, and counts those that were forgotten. */
export class LeasePool {
  readonly #giveBack: (handle: number) => void;
  readonly #arena: ArrayBuffer;
  readonly #arenaBytes: Buffer;
  readonly #idle: Token[] = [];
  readonly #registry: FinalizationRegistry<Hold>;
  #leaks = 0;

  /** `giveBack` returns one native handle; `arena` is where the bytes lie. */
  constructor(giveBack: (handle: number) => void, arena: ArrayBuffer) {
    this.#giveBack = giveBack;
    this.#arena = arena;
    this.#arenaBytes = Buffer.from(arena);
    this.#registry = new FinalizationRegistry((hold) => this.#collect(hold));
  }

  /** Leases collected as garbage so far, with all their shares. */
  get leaks(): number {
    return this.#leaks;
  }

  take(handle: number, bytes: number): Lease {
    return this.#lease(handle, bytes, undefined);
  }

  /** A loan of what `keeper` keeps. */
  lend(keeper: ArenaBytes, offset: number): { readonly view: Buffer; readonly lease: Lease } {
    const view = Buffer.from(this.#arena, offset, keeper.bytes);
    return { view, lease: this.#lease(0, keeper.bytes, keeper) };
  }

  copy(offset: number, bytes: number, target: Buffer, at: number): void {
    this.#arenaBytes.copy(target, at, offset, offset + bytes);
  }

  /** Ends a lease for a keeper who goes on holding its slab. */
  keep(token: Token, view: Buffer): KeptBytes {
    const { hold } = token;
    if (hold.keeper !== undefined || hold.shares !== 1) {
      throw new RdmaMisuseError('keep() of a lease that others share');
    }
    hold.shares = 0;
    this.#idle.push(token);
    return new ArenaBytes(this, hold.handle, view.byteOffset, view.length);
  }

  /** Bytes that are kept from the start. */
  keepAt(handle: number, offset: number, bytes: number): KeptBytes {
    return new ArenaBytes(this, handle, offset, bytes);
  }

  /** The last share is gone. */
  finish(token: Token): void {
    const { handle, keeper } = token.hold;
    token.hold.keeper = undefined;
    this.#idle.push(token);
    if (keeper === undefined) this.#giveBack(handle);
    else keeper.returned();
  }

  /** Returns a slab that is neither kept nor lent any more. */
  giveBack(handle: number): void {
    this.#giveBack(handle);
  }

  #lease(handle: number, bytes: number, keeper: ArenaBytes | undefined): Lease {
    const token = this.#idle.pop() ?? this.#newToken();
    const { hold } = token;
    hold.handle = handle;
    hold.bytes = bytes;
    hold.shares = 1;
    hold.keeper = keeper;
    return new ArenaLease(this, token);
  }

  #newToken(): Token {
    const hold: Hold = { handle: 0, bytes: 0, shares: 0, keeper: undefined };
    const token = new Token(hold);
    this.#registry.register(token, hold);
    return token;
  }

  #collect(hold: Hold): void {
    // Idle tokens go with their pool; they hold nothing.
    if (hold.shares === 0) return;
    this.#leaks += 1;
    if (hold.keeper === undefined) this.#giveBack(hold.handle);
    else hold.keeper.returned();
  }
}

class ArenaBytes implements KeptBytes {
  readonly bytes: number;
  readonly #pool: LeasePool;
  readonly #handle: number;
  /** In the arena; -1 - offset after the keeper let go. */
  #offset: number;
  /** Count of the keeper, the loans and the `hold`s; 0: the slab has another owner. */
  #holds = 1;

  constructor(pool: LeasePool, handle: number, offset: number, bytes: number) {
    this.#pool = pool;
    this.#handle = handle;
    this.#offset = offset;
    this.bytes = bytes;
  }

  lend(): { readonly view: Buffer; readonly lease: Lease } {
    this.hold();
    return this.#pool.lend(this, startOf(this.#offset));
  }

  hold(): void {
    if (this.#holds === 0) throw new RdmaMisuseError('bytes that were released are asked for');
    this.#holds += 1;
  }

  endHold(): void {
    this.returned();
  }

  copyTo(target: Buffer, at: number): void {
    if (this.#holds === 0) throw new RdmaMisuseError('bytes that were released are asked for');
    this.#pool.copy(startOf(this.#offset), this.bytes, target, at);
  }

  release(): void {
    if (this.#offset < 0) return;
    this.#offset = -1 - this.#offset;
    this.returned();
  }

  /** One hold less. */
  returned(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.#pool.giveBack(this.#handle);
  }
}

/** The start of bytes kept or let go. No private method: that would cost each of a million objects a word. */
function startOf(offset: number): number {
  return offset < 0 ? -1 - offset : offset;
}

class ArenaLease implements Lease {
  readonly #pool: LeasePool;
  #token: Token | undefined;

  constructor(pool: LeasePool, token: Token) {
    this.#pool = pool;
    this.#token = token;
  }

  get bytes(): number {
    return this.#token?.hold.bytes ?? 0;
  }

  share(): Lease {
    const token = this.#token;
    if (token === undefined) throw new RdmaMisuseError('share() of a lease that was released');
    token.hold.shares += 1;
    return new ArenaLease(this.#pool, token);
  }

  keep(view: Buffer): KeptBytes {
    const token = this.#token;
    if (token === undefined) throw new RdmaMisuseError('keep() of a lease that was released');
    const kept = this.#pool.keep(token, view);
    this.#token = undefined;
    return kept;
  }

  release(): void {
    const token = this.#token;
    if (token === undefined) return;
    this.#token = undefined;
    token.hold.shares -= 1;
    if (token.hold.shares === 0) this.#pool.finish(token);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

// native/memory/slabs.h in numbers; a contract test compares the two.
const smallBytesMin = 256;
const smallBytesMax = 65_536;
const pageBytes = 16_384;

/** Bytes of the slab for a lease of `bytes` (at least 1): four classes a doubling, then whole pages of 16 KiB. */
export function slabBytes(bytes: number): number {
  if (bytes <= smallBytesMin) return smallBytesMin;
  if (bytes > smallBytesMax) return Math.ceil(bytes / pageBytes) * pageBytes;
  const step = 2 ** (29 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / step) * step;
}
