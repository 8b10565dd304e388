/** What a proxy waits for before it listens. */
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import type { UpstreamProbe } from './targets/upstream-probe.ts';

/** Resolves when every volume server and target has answered once, or `timeoutMs` later. */
export async function firstAnswers(
  probes: readonly UpstreamProbe[],
  fetchers: readonly NeedleFetcher[],
  timeoutMs: number,
): Promise<void> {
  const answers = [
    ...probes.map((probe) => probe.first),
    ...fetchers.map((fetcher) => firstVolumes(fetcher)),
  ];
  const timeout = new AbortController();
  await Promise.race([Promise.all(answers), pause(timeoutMs, timeout.signal)]);
  timeout.abort();
}

/** Resolves when the target announced volumes, or cannot be reached. */
function firstVolumes(fetcher: NeedleFetcher): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (fetcher.state.kind === 'down' || fetcher.volumes.size > 0) resolve();
    };
    fetcher.onChange(look);
    look();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
