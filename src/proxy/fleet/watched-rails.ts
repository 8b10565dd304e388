/** Says in the log when a rail to a target stops carrying traffic, and when it carries traffic again. */
import type { Logger } from 'pino';
import type { RailsFetcher } from '../../rdma/rails/rails-fetcher.ts';

/** One line for each change. Probes and attempts in between are counted. */
export function watchRails(fetcher: RailsFetcher, logger: Logger): void {
  const { address: target } = fetcher;
  const carrying = new Map<string, boolean>();
  fetcher.onRail(({ name: rail, state, reason, transport, ejections }) => {
    const carries = state === 'admitted' || state === 'trial';
    if (carrying.get(rail) === carries) return;
    // A rail that has not been up yet is told with the target.
    if (!carries && !carrying.has(rail)) return;
    carrying.set(rail, carries);
    const fields = { target, rail, ejections };
    if (carries) {
      logger.info({ event: 'rail-up', ...fields, transport }, 'the rail carries traffic');
    } else {
      const detail = { event: 'rail-down', ...fields, reason };
      logger.warn(detail, 'the rail is left: its requests are sent again on another');
    }
  });
}
