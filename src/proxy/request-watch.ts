/** The observers of finished requests: the metrics, the tables of traffic, the volumes without a target, logs and traces. */
import type { RequestObserver, RequestRecord } from '../needle/outcome.ts';
import { needlePathOf } from '../needle/request/needle-path.ts';
import type { UnannouncedVolumes } from './fleet/unannounced-volumes.ts';
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
  unannounced: UnannouncedVolumes,
  watch: RequestWatch | undefined,
): RequestObserver {
  return (record) => {
    count(record);
    traffic.observe(record);
    watch?.observe(record);
    // A request that was answered here costs a comparison.
    if (isTelling(record)) tell(record, unannounced);
  };
}

/** True for a forwarded request whose answer may prove that the volume server has a volume. */
function isTelling({ outcome, reason, request: { method } }: RequestRecord): boolean {
  if (outcome !== 'passthrough') return false;
  // A write that succeeded is the earliest sign of a new volume.
  if (reason === 'method') return method === 'POST' || method === 'PUT';
  return reason === 'unknown-volume' || reason === 'volume-unconfirmed';
}

function tell({ answerHead, request, reason }: RequestRecord, volumes: UnannouncedVolumes): void {
  // A client may ask for a volume that does not exist: the volume server's answer decides.
  const statusLine = answerHead.slice(0, 'HTTP/1.1 200'.length).toString();
  if (!/^HTTP\/1\.[01] (2..|304)$/.test(statusLine)) return;
  const volumeId = needlePathOf(request.target)?.volumeId;
  if (volumeId !== undefined) volumes.answered(volumeId, reason === 'unknown-volume');
}
