/** What the scenarios of a lifetime test do to a fetcher. */
import type { NeedleFetcher, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import { type Subject, subjectKinds } from '../contract/subjects.ts';

const needleBytesMax = 64 * 1024 * 1024;

/** Needle 1 of volume 3. */
export const command: ReadCommand = {
  volumeId: 3,
  needleId: 1n,
  cookie: 1,
  offset: 0,
  length: needleBytesMax,
  wholeBytesMax: needleBytesMax,
  budgetBytes: needleBytesMax,
  metadataOnly: false,
  timeoutMs: 10_000,
};

export async function openSubject(kindName: string, dir: string): Promise<Subject> {
  const kind = subjectKinds.find(({ name }) => name === kindName);
  if (kind === undefined) throw new RangeError(`no kind "${kindName}"`);
  return kind.open({ dir, arenaBytes: 64 * 1024 * 1024 });
}

export async function fetchAndRelease(fetcher: NeedleFetcher): Promise<void> {
  const result = await fetcher.read(command);
  if (result.kind === 'failed') throw new Error(`the fetch failed: ${result.status}`);
  result.data?.lease.release();
}

/** Sixteen fetches at any time, until the fetcher is closed. */
export function startTraffic(fetcher: NeedleFetcher): void {
  const fetchInTurn = async (): Promise<void> => {
    while (fetcher.state.kind === 'up') await fetchAndRelease(fetcher);
  };
  for (let i = 0; i < 16; i += 1) fetchInTurn().catch(() => {});
}
