/** Stands between the cache and a target: stalls answers on the wire, and spoils what the cache relies on. */
import { setTimeout as pause } from 'node:timers/promises';
import type {
  FetchResult,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  TargetCounts,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  VolumeChange,
} from '../../src/rdma/needle-fetcher.ts';

export interface HeldAnswer {
  /** Resolves when the target has answered: what it saw is settled, and on its way for as long as the test likes. */
  readonly answered: Promise<void>;
  release(): void;
}

export interface Interposition {
  /** VALIDATE is never asked: nothing ever changed. */
  readonly skipsValidation?: boolean;
  /** VALIDATEs after a held one are answered as that was: from a look at the index before they were asked. */
  readonly answersFromEarlierLook?: boolean;
  /**
   * How long each answer takes from the target, which has given it, to the cache; 0: it is there at once. They overtake
   * each other, and what is pushed, as they may over UCX; of what is pushed each waits for the one before it.
   */
  readonly answerDelayMs?: () => number;
  /** Nothing that a target pushes arrives: as late as a lease allows. */
  readonly losesPushes?: boolean;
}

interface Hold {
  readonly answered: () => void;
  readonly released: Promise<void>;
}

export class InterposedFetcher implements NeedleFetcher {
  readonly #inner: NeedleFetcher;
  readonly #interposition: Interposition;
  #nextRead: Hold | undefined;
  #nextValidation: Hold | undefined;
  #earlierLook: ValidateResult | undefined;

  constructor(inner: NeedleFetcher, interposition: Interposition = {}) {
    this.#inner = inner;
    this.#interposition = interposition;
  }

  get address(): string {
    return this.#inner.address;
  }

  get state(): TargetState {
    return this.#inner.state;
  }

  get counts(): TargetCounts {
    return this.#inner.counts;
  }

  get volumes(): ReadonlyMap<number, TargetVolume> {
    return this.#inner.volumes;
  }

  /** Of the next READ the answer waits. */
  holdNextRead(): HeldAnswer {
    const { hold, held } = newHold();
    this.#nextRead = hold;
    return held;
  }

  holdNextValidation(): HeldAnswer {
    const { hold, held } = newHold();
    this.#nextValidation = hold;
    return held;
  }

  onChange(listener: () => void): void {
    this.#inner.onChange(listener);
  }

  onVolumeChanged(listener: (change: VolumeChange) => void): void {
    if (this.#interposition.losesPushes) return;
    let before = Promise.resolve();
    this.#inner.onVolumeChanged((change) => {
      if (this.#interposition.answerDelayMs === undefined) listener(change);
      else before = before.then(() => this.#late(change)).then(listener);
    });
  }

  async read(command: ReadCommand): Promise<FetchResult> {
    const hold = this.#nextRead;
    this.#nextRead = undefined;
    return this.#arrived(await this.#inner.read(command), hold);
  }

  async validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs?: number,
  ): Promise<ValidateResult> {
    const { skipsValidation, answersFromEarlierLook } = this.#interposition;
    if (skipsValidation) {
      const nothing = { verdict: 'changed', changedIds: [], leased: false } as const;
      return { kind: 'verdicts', verdicts: items.map((item) => ({ ...item, ...nothing })) };
    }
    const hold = this.#nextValidation;
    this.#nextValidation = undefined;
    if (answersFromEarlierLook && this.#earlierLook !== undefined) return this.#earlierLook;
    const result = await this.#inner.validate(items, timeoutMs, leaseMs);
    if (hold !== undefined) this.#earlierLook = result;
    return this.#arrived(result, hold);
  }

  ping(timeoutMs: number): Promise<PingResult> {
    return this.#inner.ping(timeoutMs);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #arrived<T>(answer: T, hold: Hold | undefined): Promise<T> {
    if (hold === undefined) return this.#late(answer);
    hold.answered();
    await hold.released;
    return answer;
  }

  async #late<T>(answer: T): Promise<T> {
    const ms = this.#interposition.answerDelayMs?.() ?? 0;
    if (ms > 0) await pause(ms);
    return answer;
  }
}

function newHold(): { readonly hold: Hold; readonly held: HeldAnswer } {
  const answered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    hold: { answered: answered.resolve, released: released.promise },
    held: { answered: answered.promise, release: released.resolve },
  };
}
