import { describe, expect, test } from 'vitest';
import { ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import { ObservedFetcher } from './observed-fetcher.ts';
import type { OperationRecord } from './proxy-metrics.ts';

const command = {
  volumeId: 3,
  needleId: 1n,
  cookie: 7,
  offset: 0,
  length: 0,
  wholeBytesMax: 1_000,
  budgetBytes: 1_000,
  metadataOnly: false,
  timeoutMs: 100,
};

function observed(): {
  inner: ManualFetcher;
  fetcher: ObservedFetcher;
  records: OperationRecord[];
} {
  const inner = new ManualFetcher();
  const records: OperationRecord[] = [];
  return { inner, fetcher: new ObservedFetcher(inner, (record) => records.push(record)), records };
}

describe('an observed fetcher', () => {
  test('counts reads by the status that they ended with, and their bytes', async () => {
    const { inner, fetcher, records } = observed();
    const reads = [fetcher.read(command), fetcher.read(command), fetcher.read(command)];
    inner.reads[0]?.needle(Buffer.alloc(10));
    inner.reads[1]?.answer({ kind: 'failed', status: 'not_found' });
    inner.reads[2]?.answer({ kind: 'failed', status: 'deadline' });
    await Promise.all(reads);
    expect(fetcher.counts).toMatchObject({
      fetches: { ok: 1, not_found: 1, deadline: 1 },
      bytesFetched: 10,
    });
    expect(records.map(({ isSuccess }) => isSuccess)).toEqual([true, true, false]);
  });

  test('tells sessions that were lost from attempts that failed, and counts each attempt', () => {
    const { inner, fetcher } = observed();
    const go = (state: ManualFetcher['state']): void => {
      inner.state = state;
      inner.changed();
    };
    const down = (): ManualFetcher['state'] => ({ kind: 'down', status: 'peer_lost', detail: '' });
    expect(fetcher.counts).toMatchObject({ established: 1, lost: 0, failed: 0 });
    // A new list of volumes is no new session.
    inner.changed();
    go(down());
    go({ kind: 'connecting' });
    go(down());
    // A name that cannot be looked up never gets as far as connecting.
    go(down());
    go({ kind: 'connecting' });
    go({ kind: 'up', transport: 'manual', sessionId: 2n });
    go({ kind: 'down', status: 'closed', detail: 'closed here' });
    expect(fetcher.counts).toMatchObject({ established: 2, lost: 1, failed: 2 });
  });

  test('keeps the last round trip, whatever fails later', async () => {
    const { inner, fetcher } = observed();
    await fetcher.ping(100);
    expect(fetcher.counts.pingUs).toBeUndefined();
    const load = { requestsInFlight: 0, sessions: 1, arenaBytes: 0, arenaBytesUsed: 0 };
    inner.ping = () => Promise.resolve({ kind: 'pong', roundTripUs: 7, ...load });
    await fetcher.ping(100);
    inner.ping = () => Promise.resolve({ kind: 'failed', status: 'deadline' });
    await fetcher.ping(100);
    expect(fetcher.counts.pingUs).toBe(7);
  });
});
