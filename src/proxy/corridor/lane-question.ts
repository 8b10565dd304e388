/**
 * A lane's question about a volume: may the answers that are published of it be given? It is for all requests that wait in
 * that lane, and came before it was asked. What may not be said here goes the way of any other request.
 */

import type { CachedVolume } from '../cache/cached-volume.ts';
import type { Validation, Waiter } from '../cache/group-validation.ts';
import type { WaitingRead } from '../fleet/hedging.ts';
import type { ReadPlace } from './reading.ts';

type Settle = (isFresh: boolean) => void;

/** Without a question for so long, where the policy asks for none: whether the volume is served at all is looked at anew then. */
const grantMsMax = 20;

/** `entry` has the volume, and serves it. */
export function askForLane(
  { cache, entry }: Pick<ReadPlace, 'cache' | 'entry'>,
  volume: CachedVolume,
  settle: Settle,
): void {
  const { fetcher, facts, breaker, hedging } = entry;
  const { published } = volume;
  const isOfServer = published?.server === `${facts.kind} ${facts.server}`;
  // Another target may have it now, or another server stands behind it.
  if (!isOfServer || fetcher === undefined || cache.volume(fetcher, volume.volumeId) !== volume) {
    settle(false);
    return;
  }
  const servedMs = volume.servedWithoutAskingMs(performance.now());
  if (servedMs > 0) {
    cache.renew(fetcher, volume, servedMs);
    published?.grant(Math.min(servedMs, grantMsMax));
    settle(true);
  } else if (breaker.admit()) {
    const question = new LaneQuestion(settle, () => hedging?.ended(question, undefined));
    cache.validate(fetcher, volume, question);
    hedging?.began(question);
  } else {
    settle(false);
  }
}

class LaneQuestion implements Waiter, WaitingRead {
  readonly isMany = true;
  readonly #settle: Settle;
  readonly #onEnd: () => void;
  #isOver = false;

  constructor(settle: Settle, onEnd: () => void) {
    this.#settle = settle;
    this.#onEnd = onEnd;
  }

  validated(validation: Validation): void {
    this.#end(validation.kind === 'checked');
  }

  /** The requests that wait are late: each is a read of the event loop from here on, and may be hedged there. */
  hedge(): boolean {
    this.#end(false);
    return false;
  }

  #end(isFresh: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
    this.#settle(isFresh);
  }
}
