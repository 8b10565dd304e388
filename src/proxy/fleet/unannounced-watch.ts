/** Sees forwarded requests whose answer proves that the volume server has a volume. */

import type { RequestObserver, RequestRecord } from '../../needle/outcome.ts';
import { needlePathOf } from '../../needle/request/needle-path.ts';
import type { TargetDirectory } from './target-directory.ts';
import type { UnannouncedVolumes } from './unannounced-volumes.ts';

/**
 * Validating a volume that a target does not serve makes it look (docs/protocol.md). The answer tells nothing: a target
 * that finds the volume announces it. Asked are the targets beside the servers that have it; all where none is known.
 */
export function askToLook(
  directory: TargetDirectory,
  volumeIds: readonly number[],
  timeoutMs: number,
): void {
  for (const { fetcher, upstreamUrl } of directory.entries) {
    if (fetcher?.state.kind !== 'up') continue;
    const own = volumeIds.filter((volumeId) => {
      const holders = directory.find(volumeId);
      return holders.length === 0 || holders.some(({ entry }) => entry.upstreamUrl === upstreamUrl);
    });
    const items = own.map((volumeId) => ({ volumeId, epoch: 0n, position: 0n }));
    if (items.length > 0) void fetcher.validate(items, timeoutMs);
  }
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
  // A client may ask for a volume that does not exist: the volume server's answer decides.
  const statusLine = answerHead.slice(0, 'HTTP/1.1 200'.length).toString();
  if (!/^HTTP\/1\.[01] (2..|304)$/.test(statusLine)) return;
  const volumeId = needlePathOf(request.target)?.volumeId;
  if (volumeId !== undefined) volumes.answered(volumeId, reason === 'unknown-volume');
}
