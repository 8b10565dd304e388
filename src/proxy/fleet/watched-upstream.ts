/** Probes a volume server, and says in the log when it begins to answer and when it stops. */
import type { Logger } from 'pino';
import type { TargetEntry } from './target-directory.ts';
import { startUpstreamProbe, type UpstreamProbe } from './upstream-probe.ts';

/** How often each volume server is asked what only it knows, and how long an answer may take. */
const probeEveryMs = 2_000;
export const probeTimeoutMs = 2_000;

/** `onUp` is called each time that the server answers again. */
export function watchUpstream(
  { upstreamUrl, facts }: TargetEntry,
  logger: Logger,
  onUp: () => void,
): UpstreamProbe {
  return startUpstreamProbe({
    upstreamUrl,
    facts,
    intervalMs: probeEveryMs,
    timeoutMs: probeTimeoutMs,
    onChange: ({ ok, kind, detail }) => {
      const event = ok ? 'upstream-up' : 'upstream-down';
      const fields = { event, upstream: upstreamUrl, detail };
      if (ok) logger.info(fields, 'the volume server answers');
      else if (kind === 'down') logger.warn(fields, 'the volume server does not answer');
      else logger.warn(fields, 'another server answers in the place of the volume server');
      if (ok) onUp();
    },
  });
}
