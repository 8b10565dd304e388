/** Which target is asked for a volume, and when waiting for one is worth it. Pure. */
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import type { ReadFailure } from './read-error.ts';

export type Choice =
  | { readonly kind: 'ask'; readonly fetcher: NeedleFetcher }
  /** A target that may have the volume is being connected, or has not said yet what it has. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'none'; readonly status: ReadFailure; readonly detail: string };

/**
 * In the order of the list: who serves the volume; when nobody is left to wait for, who has announced it unconfirmed; then
 * who is up without having announced it: an announcement may be a moment behind. `asked` is not asked again, and who
 * `isNew` may still be loading what it has.
 */
export function chooseFetcher(
  fetchers: readonly NeedleFetcher[],
  volumeId: number,
  asked: ReadonlySet<NeedleFetcher>,
  isNew: (fetcher: NeedleFetcher) => boolean,
): Choice {
  const left = fetchers.filter((fetcher) => !asked.has(fetcher));
  const up = left.filter(({ state }) => state.kind === 'up');
  const serving = up.find(({ volumes }) => volumes.get(volumeId)?.confirmed === true);
  if (serving !== undefined) return { kind: 'ask', fetcher: serving };
  if (left.some(({ state }) => state.kind === 'connecting') || up.some(isNew)) {
    return { kind: 'wait' };
  }
  const other = up.find(({ volumes }) => volumes.has(volumeId)) ?? up[0];
  if (other !== undefined) return { kind: 'ask', fetcher: other };
  return { kind: 'none', ...whyNone(left) };
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
