/** Which target is asked for a volume, and when waiting for one is worth it. Pure. */
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import type { ReadFailure } from './read-error.ts';

export type Choice =
  | {
      readonly kind: 'ask';
      readonly fetcher: NeedleFetcher;
      /** Another target can be asked after it. */
      readonly hasReplica: boolean;
    }
  /** A target that may have the volume is being connected, or has not said yet what it has. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'none'; readonly status: ReadFailure; readonly detail: string };

/** Facts about a target beside its state. */
export interface Knowledge {
  /** May still be loading what it has. */
  isNew(fetcher: NeedleFetcher): boolean;
  /** Has let a read wait too long lately. */
  isSlow(fetcher: NeedleFetcher): boolean;
}

/**
 * Chooses in the order of the list, slow targets last: first one that serves the volume; when there is none left to
 * wait for, one that announced it unconfirmed; then one that is up and has not announced it, since an announcement may
 * be a moment behind. `asked` is not asked again.
 */
export function chooseFetcher(
  fetchers: readonly NeedleFetcher[],
  volumeId: number,
  asked: ReadonlySet<NeedleFetcher>,
  knowledge: Knowledge,
): Choice {
  const left = fetchers.filter((fetcher) => !asked.has(fetcher));
  const up = left.filter(({ state }) => state.kind === 'up');
  const serving = up.filter((fetcher) => isServing(fetcher, volumeId));
  const chosen = serving.find((fetcher) => !knowledge.isSlow(fetcher)) ?? serving[0];
  if (chosen !== undefined) {
    return { kind: 'ask', fetcher: chosen, hasReplica: serving.length > 1 };
  }
  const isWorthWaiting = (fetcher: NeedleFetcher): boolean =>
    fetcher.state.kind === 'connecting' ||
    (fetcher.state.kind === 'up' && knowledge.isNew(fetcher));
  if (left.some(isWorthWaiting)) return { kind: 'wait' };
  const other = up.find(({ volumes }) => volumes.has(volumeId)) ?? up[0];
  if (other !== undefined) return { kind: 'ask', fetcher: other, hasReplica: up.length > 1 };
  return { kind: 'none', ...whyNone(left) };
}

function isServing({ volumes }: NeedleFetcher, volumeId: number): boolean {
  return volumes.get(volumeId)?.confirmed === true;
}

function whyNone(fetchers: readonly NeedleFetcher[]): {
  readonly status: ReadFailure;
  readonly detail: string;
} {
  const details = fetchers.flatMap(({ address, state }) =>
    state.kind === 'down' ? [{ status: state.status, text: describe(address, state.detail) }] : [],
  );
  const detail = details.map(({ text }) => text).join(', ');
  const refused = details.find(
    ({ status }) => status === 'unauthorized' || status === 'unsupported_version',
  );
  return { status: (refused?.status as ReadFailure | undefined) ?? 'not_connected', detail };
}

function describe(address: string, detail: string): string {
  return detail === '' ? `${address} is down` : `${address} is down: ${detail}`;
}
