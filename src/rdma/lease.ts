import { RdmaMisuseError } from './errors.ts';

/**
 * A counted hold on a needle's bytes in the arena. Whoever reads the view holds a lease; the last release
 * returns the slab. Releasing while a socket write is pending shows the next owner's bytes to a client:
 * release in the write's callback or on close.
 */
export interface Lease {
  /** Bytes held in the arena. */
  readonly bytes: number;
  /** Another hold on the same bytes; each must be released once. */
  share(): Lease;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}

/** The native hold that the shares of one lease have in common. */
interface Hold {
  handle: number;
  bytes: number;
  shares: number;
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
  readonly #idle: Token[] = [];
  readonly #registry: FinalizationRegistry<Hold>;
  #leaks = 0;

  /** `giveBack` returns one native handle. */
  constructor(giveBack: (handle: number) => void) {
    this.#giveBack = giveBack;
    this.#registry = new FinalizationRegistry((hold) => this.#collect(hold));
  }

  /** Leases collected as garbage so far, with all their shares. */
  get leaks(): number {
    return this.#leaks;
  }

  take(handle: number, bytes: number): Lease {
    const token = this.#idle.pop() ?? this.#newToken();
    const { hold } = token;
    hold.handle = handle;
    hold.bytes = bytes;
    hold.shares = 1;
    return new ArenaLease(this, token);
  }

  /** The last share is gone. */
  finish(token: Token): void {
    const { handle } = token.hold;
    this.#idle.push(token);
    this.#giveBack(handle);
  }

  #newToken(): Token {
    const hold: Hold = { handle: 0, bytes: 0, shares: 0 };
    const token = new Token(hold);
    this.#registry.register(token, hold);
    return token;
  }

  #collect(hold: Hold): void {
    // Idle tokens go with their pool; they hold nothing.
    if (hold.shares === 0) return;
    this.#leaks += 1;
    this.#giveBack(hold.handle);
  }
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
