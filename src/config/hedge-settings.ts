/** Settings of [rdma] for reads that ask the volume server as well when they have waited long for their target. */
import { choice, duration, type Fields, integer } from './field.ts';
import type { Problems } from './settings.ts';

export interface HedgeSettings {
  /** p99: reads that take longer than the 99th percentile of the latest ones. */
  readonly hedge: 'off' | 'p99';
  readonly hedgeAfterMsMin: number;
  readonly hedgeAfterMsMax: number;
  readonly hedgePercentMax: number;
}

const afterTime = { min: 1, max: 60_000 };

export const hedgeFields: Fields<HedgeSettings> = {
  hedge: choice('hedge', 'off', ['off', 'p99']),
  hedgeAfterMsMin: duration('hedge_after_min', '10ms', afterTime),
  hedgeAfterMsMax: duration('hedge_after_max', '50ms', afterTime),
  hedgePercentMax: integer('hedge_percent', 5, { min: 1, max: 100 }),
};

export interface HedgeChoice extends HedgeSettings {
  readonly mode: string;
  readonly timeoutMs: number;
}

export function checkHedge(
  { mode, timeoutMs, hedge, hedgeAfterMsMin, hedgeAfterMsMax }: HedgeChoice,
  problems: Problems,
): void {
  if (hedge === 'off') return;
  if (mode === 'require') {
    problems.add('rdma.hedge', 'is not for mode "require", which never reads over HTTP for speed');
  }
  if (hedgeAfterMsMax >= timeoutMs) {
    problems.add(
      `rdma.${problems.isGiven('rdma.hedge_after_max') ? 'hedge_after_max' : 'timeout'}`,
      'rdma.hedge_after_max is not shorter than timeout, after which a read asks the volume server anyway',
    );
  }
  if (hedgeAfterMsMin <= hedgeAfterMsMax) return;
  const key = problems.isGiven('rdma.hedge_after_min') ? 'hedge_after_min' : 'hedge_after_max';
  problems.add(`rdma.${key}`, 'rdma.hedge_after_min is larger than hedge_after_max');
}
