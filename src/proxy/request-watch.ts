/** The observers of running requests: logs and traces, beside the metrics. */
import type { RequestObserver } from '../needle/outcome.ts';
import type { FrontLog } from './server.ts';

export interface RequestWatch {
  /** One call per finished request. */
  readonly observe: RequestObserver;
  /** True if the records tell how long the corridor took. */
  readonly isTimed: boolean;
  /** For lines that may come with each request or connection. */
  readonly log: FrontLog;
  /** Lines among these that a rate limit held back. */
  readonly suppressedLines: () => number;
}

/** The metrics first; a watch is not called where there is none. */
export function watched(
  count: RequestObserver,
  traffic: { readonly observe: RequestObserver },
  watch: RequestWatch | undefined,
): RequestObserver {
  if (watch === undefined) {
    return (record) => {
      count(record);
      traffic.observe(record);
    };
  }
  return (record) => {
    count(record);
    traffic.observe(record);
    watch.observe(record);
  };
}
