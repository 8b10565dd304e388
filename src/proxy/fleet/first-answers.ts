/** When a proxy that has just started knows what it will work with. */
import type { TargetEntry } from './target-directory.ts';

/**
 * Resolves when every volume server has answered each of the questions that were asked first, and every target has a
 * volume that its server confirms, or cannot have one for now; at the latest after `timeoutMs`.
 */
export async function firstAnswers(
  entries: readonly TargetEntry[],
  asked: readonly (Promise<unknown> | undefined)[],
  timeoutMs: number,
): Promise<void> {
  const answers = Promise.all(asked).then(() => Promise.all(entries.map(firstVolumes)));
  const timeout = new AbortController();
  await Promise.race([answers, pause(timeoutMs, timeout.signal)]);
  timeout.abort();
}

/** A server that does not answer confirms nothing. */
function firstVolumes({ fetcher, facts }: TargetEntry): Promise<void> {
  return new Promise((resolve) => {
    if (fetcher === undefined) {
      resolve();
      return;
    }
    const look = (): void => {
      const volumes = [...fetcher.volumes.values()];
      const isServing =
        facts.upstream.kind === 'up' ? volumes.some((each) => each.confirmed) : volumes.length > 0;
      if (fetcher.state.kind === 'down' || isServing) resolve();
    };
    fetcher.onChange(look);
    look();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
