/**
 * Facts about a host, learned from its volume server's own answers: the `Server` value, the Content-Type by extension,
 * and whether reads need a token. Never assumed, never for long: a fact expires, and a changed `Server` forgets the
 * rest. Also whether it answers at all.
 */

import type { HostFacts } from '../../needle/answer/answer-plan.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import type { UpstreamState } from './fleet-status.ts';

export interface LearnedFactsLimits {
  readonly factMsMax: number;
  readonly typesMax: number;
  /** How long the last answered probe vouches for the server's need of tokens. */
  readonly authMsMax: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export const learnedFactsDefaults: LearnedFactsLimits = {
  factMsMax: 600_000,
  typesMax: 4096,
  authMsMax: 5_000,
  now: () => performance.now(),
};

/** Facts from an answered probe. */
export interface ProbeFacts {
  readonly server: string;
  readonly requiresToken: boolean;
  readonly kind: ServerKind;
  /** Monotonic milliseconds. */
  readonly sentAt: number;
}

interface LearnedType {
  readonly type: string;
  readonly learnedAt: number;
}

export class LearnedFacts implements HostFacts {
  readonly #limits: LearnedFactsLimits;
  readonly #types = new Map<string, LearnedType>();
  #server: string | undefined;
  #serverAt = 0;
  #requiresToken: boolean | undefined;
  #probedAt = 0;
  #kind: ServerKind = 'go';
  #upstream: UpstreamState = { kind: 'unknown' };

  constructor(limits: LearnedFactsLimits = learnedFactsDefaults) {
    this.#limits = limits;
  }

  get server(): string | undefined {
    if (this.#server === undefined || this.#expired(this.#serverAt)) return undefined;
    return this.#server;
  }

  typeOf(ext: string): string | undefined {
    const learned = this.#types.get(ext);
    if (learned === undefined) return undefined;
    if (!this.#expired(learned.learnedAt)) return learned.type;
    this.#types.delete(ext);
    return undefined;
  }

  /** 'open': reads need no token; 'required': they do; 'unknown': no answer came lately. */
  get auth(): 'open' | 'required' | 'unknown' {
    if (this.#requiresToken === undefined) return 'unknown';
    if (this.#limits.now() - this.#probedAt > this.#limits.authMsMax) return 'unknown';
    return this.#requiresToken ? 'required' : 'open';
  }

  get upstream(): UpstreamState {
    return this.#upstream;
  }

  /** The server's kind by the last answered probe; kept while the server does not answer. */
  get kind(): ServerKind {
    return this.#kind;
  }

  get typeCount(): number {
    return this.#types.size;
  }

  /** An answered probe that was sent at `sentAt`. */
  learnProbe(answer: ProbeFacts): void {
    const isSame = answer.server === this.#server && answer.kind === this.#kind;
    if (!isSame) this.#types.clear();
    this.#server = answer.server;
    this.#serverAt = answer.sentAt;
    this.#requiresToken = answer.requiresToken;
    this.#probedAt = answer.sentAt;
    this.#kind = answer.kind;
    this.#upstream = { kind: 'up' };
  }

  /** A probe that told nothing; `detail` is for people. */
  missProbe(kind: 'strange' | 'down', detail: string): void {
    this.#upstream = { kind, detail };
  }

  /** `type` '' means that the host knows none for this extension. */
  learnType(ext: string, type: string): void {
    if (this.#types.size >= this.#limits.typesMax && !this.#types.has(ext)) {
      const oldest = this.#types.keys().next();
      if (!oldest.done) this.#types.delete(oldest.value);
    }
    this.#types.delete(ext);
    // A copy: what is cut out of a request's head would keep all of that head.
    const ownExt = Buffer.from(ext, 'latin1').toString('latin1');
    this.#types.set(ownExt, { type, learnedAt: this.#limits.now() });
  }

  #expired(since: number): boolean {
    return this.#limits.now() - since > this.#limits.factMsMax;
  }
}
