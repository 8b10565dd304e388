/** Stands between the cache and a target: stalls answers on the wire, and spoils what the cache relies on. */
import { setTimeout as pause } from 'node:timers/promises';
import type {
  FetchResult,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  VolumeChange,
} from '../../src/rdma/needle-fetcher.ts';

export interface HeldRead {
  /** Resolves when the target has answered: what it read is settled, and on its way for as long as the test likes. */
  readonly answered: Promise<void>;
  release(): void;
}

export interface Interposition {
  /** VALIDATE is never asked: nothing ever changed. */
  readonly skipsValidation?: boolean;
  /**
   * How long each answer takes from the target, which has given it, to the cache; 0: it is there at once. They overtake
   * each other, and what is pushed, as they may over UCX; of what is pushed each waits for the one before it.
   */
  readonly answerDelayMs?: () => number;
  /** Nothing that a target pushes arrives: as late as a lease allows. */
  readonly losesPushes?: boolean;
}

export class InterposedFetcher implements NeedleFetcher {
  readonly #inner: NeedleFetcher;
  readonly #interposition: Interposition;
  #nextRead: { answered: () => void; released: Promise<void> } | undefined;

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

  get volumes(): ReadonlyMap<number, TargetVolume> {
    return this.#inner.volumes;
  }

  /** Of the next READ the answer waits. */
  holdNextRead(): HeldRead {
    const answered = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#nextRead = { answered: answered.resolve, released: released.promise };
    return { answered: answered.promise, release: released.resolve };
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
    const held = this.#nextRead;
    this.#nextRead = undefined;
    const result = await this.#inner.read(command);
    if (held === undefined) return this.#late(result);
    held.answered();
    await held.released;
    return result;
  }

  async validate(
    items: readonly ValidateItem[],
    timeoutMs: number,
    leaseMs?: number,
  ): Promise<ValidateResult> {
    if (!this.#interposition.skipsValidation) {
      return this.#late(await this.#inner.validate(items, timeoutMs, leaseMs));
    }
    const nothing = { verdict: 'changed', changedIds: [], leased: false } as const;
    return { kind: 'verdicts', verdicts: items.map((item) => ({ ...item, ...nothing })) };
  }

  ping(timeoutMs: number): Promise<PingResult> {
    return this.#inner.ping(timeoutMs);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #late<T>(answer: T): Promise<T> {
    const ms = this.#interposition.answerDelayMs?.() ?? 0;
    if (ms > 0) await pause(ms);
    return answer;
  }
}
