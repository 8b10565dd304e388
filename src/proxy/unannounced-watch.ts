/** Sees forwarded requests whose answer proves that the volume server has a volume. */
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import { needlePathOf } from './needle/read-request.ts';
import type { RequestObserver, RequestRecord } from './outcome.ts';
import type { UnannouncedVolumes } from './targets/unannounced-volumes.ts';

/**
 * Validating a volume that a target does not serve makes it look (docs/protocol.md). The answer tells nothing: a target
 * that finds the volume announces it.
 */
export function askToLook(
  fetcher: NeedleFetcher | undefined,
  volumeIds: readonly number[],
  timeoutMs: number,
): void {
  if (fetcher?.state.kind !== 'up') return;
  const items = volumeIds.map((volumeId) => ({ volumeId, epoch: 0n, position: 0n }));
  void fetcher.validate(items, timeoutMs);
}

/** A request that was answered here costs a comparison. */
export function withUnannounced(
  observe: RequestObserver,
  volumes: UnannouncedVolumes,
): RequestObserver {
  return (record) => {
    observe(record);
    if (isTelling(record)) tell(record, volumes);
  };
}

/** A write that succeeded is the earliest sign of a new volume. */
function isTelling({ outcome, reason, request: { method } }: RequestRecord): boolean {
  if (outcome !== 'passthrough') return false;
  if (reason === 'method') return method === 'POST' || method === 'PUT';
  return reason === 'unknown-volume' || reason === 'volume-unconfirmed';
}

function tell({ answerHead, request, reason }: RequestRecord, volumes: UnannouncedVolumes): void {
  // Anybody may ask for a volume that is nowhere: what tells is the volume server's answer.
  const statusLine = answerHead.slice(0, 'HTTP/1.1 200'.length).toString();
  if (!/^HTTP\/1\.[01] (2..|304)$/.test(statusLine)) return;
  const volumeId = needlePathOf(request.target)?.volumeId;
  if (volumeId !== undefined) volumes.answered(volumeId, reason === 'unknown-volume');
}
