/** Waits for what targets announce: states and volumes. */
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';

export class Changes {
  readonly #waiters = new Set<() => void>();
  readonly #listeners = new Set<() => void>();
  readonly #upSinceMs = new Map<NeedleFetcher, number>();

  constructor(fetchers: readonly NeedleFetcher[]) {
    for (const fetcher of fetchers) {
      this.#note(fetcher);
      fetcher.onChange(() => this.#changed(fetcher));
    }
  }

  /** Infinity where it is not up. */
  upForMs(fetcher: NeedleFetcher): number {
    const since = this.#upSinceMs.get(fetcher);
    return since === undefined ? Number.POSITIVE_INFINITY : performance.now() - since;
  }

  listen(listener: () => void): () => void {
    // A separate entry for each call, so that a listener given twice is called twice and ends one at a time.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** True after the next change, false after the time. Rejects with the signal's reason. */
  next(timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(changed);
        signal?.removeEventListener('abort', abort);
      };
      const changed = (): void => {
        end();
        resolve(true);
      };
      const abort = (): void => {
        end();
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          end();
          resolve(false);
        },
        Math.max(0, timeoutMs),
      );
      this.#waiters.add(changed);
      signal?.addEventListener('abort', abort);
    });
  }

  #changed(fetcher: NeedleFetcher): void {
    this.#note(fetcher);
    for (const waiter of [...this.#waiters]) waiter();
    for (const listener of [...this.#listeners]) tell(listener);
  }

  #note(fetcher: NeedleFetcher): void {
    if (fetcher.state.kind !== 'up') this.#upSinceMs.delete(fetcher);
    else if (!this.#upSinceMs.has(fetcher)) this.#upSinceMs.set(fetcher, performance.now());
  }
}

/**
 * Calls a listener. An error that it throws is uncaught, as from any event; it stops neither the others nor close(),
 * which tells them too.
 */
function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
