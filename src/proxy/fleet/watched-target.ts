/** Says in the log when a target comes and goes, and keeps its session alive. */
import type { Logger } from 'pino';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';

/** A target ends sessions that say nothing for its session_timeout. */
const keepAliveMs = 30_000;

/**
 * One line for each change that tells something new: attempts that fail as the last one did are counted, and told when
 * the target is up. Clear the returned timer at the end.
 */
export function watchTarget(
  fetcher: NeedleFetcher,
  timeoutMs: number,
  logger: Logger,
): NodeJS.Timeout {
  let told = '';
  let failures = 0;
  const look = (): void => {
    const { state, address: target } = fetcher;
    if (state.kind === 'up') {
      if (told === 'up') return;
      told = 'up';
      const { transport, sessionId } = state;
      const session_id = `${sessionId}`;
      const fields = { event: 'target-up', target, transport, session_id, failures };
      logger.info(fields, 'the target is up');
      failures = 0;
      void fetcher.ping(timeoutMs);
    } else if (state.kind === 'down' && state.status !== 'closed') {
      const { status, detail } = state;
      failures += 1;
      if (told === `${status} ${detail}`) return;
      told = `${status} ${detail}`;
      const fields = { event: 'target-down', target, reason: status, detail };
      logger.warn(fields, 'the target is down: reads pass through to the volume server');
    }
  };
  fetcher.onChange(look);
  look();
  const keepAlive = setInterval(() => {
    if (fetcher.state.kind === 'up') void fetcher.ping(timeoutMs);
  }, keepAliveMs);
  return keepAlive.unref();
}
