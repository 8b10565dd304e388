/** Says in the log when a target's breaker opens and closes, once for each time: probes in between are counted. */
import type { Logger } from 'pino';
import type { TargetEntry } from './target-directory.ts';

export function watchBreaker({ breaker, fetcher }: TargetEntry, logger: Logger): void {
  const target = fetcher?.address;
  let isTold = false;
  let isProbeTold = false;
  let probes = 0;
  let sinceMs = 0;
  breaker.onChange(({ state, failures, reason }) => {
    if (state === 'open' && !isTold) {
      isTold = true;
      isProbeTold = false;
      probes = 0;
      sinceMs = performance.now();
      const fields = { event: 'breaker-open', target, failures, reason };
      logger.warn(fields, 'the target does not answer as it should: reads are forwarded');
    } else if (state === 'half-open') {
      probes += 1;
      if (isProbeTold) return;
      isProbeTold = true;
      logger.info({ event: 'breaker-half-open', target, failures, reason }, 'the target is probed');
    } else if (state === 'closed') {
      isTold = false;
      const duration = Math.round(performance.now() - sinceMs) / 1000;
      const fields = { event: 'breaker-closed', target, failures, reason, probes, duration };
      logger.info(fields, 'the target answers again: reads go to it');
    }
  });
  // A target that was restarted has nothing to do with what the old one failed at.
  let wasUp = fetcher?.state.kind === 'up';
  fetcher?.onChange(() => {
    const isUp = fetcher.state.kind === 'up';
    if (isUp && !wasUp) breaker.succeeded();
    wasUp = isUp;
  });
}
