/** One suite for every implementation of the port: what is promised in src/rdma/needle-fetcher.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FetchResult, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import { bytesOf, mebibyte, volumeId } from './client-rig.ts';
import { SampleVolume } from './sample-volume.ts';
import { readOf, type Subject, subjectKinds, when, whenServed } from './subjects.ts';

type Fetched = Extract<FetchResult, { kind: 'needle' }>;

function mustBeNeedle(result: FetchResult): Fetched {
  if (result.kind === 'failed') throw new Error(`the fetch failed: ${result.status}`);
  return result;
}

/** The bytes of an answer, copied, its lease released. */
function takeBytes(result: FetchResult): Buffer {
  const { data } = mustBeNeedle(result);
  if (data === undefined) throw new Error('an answer without data');
  const copy = Buffer.from(data.view);
  data.lease.release();
  return copy;
}

describe.each(subjectKinds)('the port over $name', (kind) => {
  let dir: string;
  let volume: SampleVolume;
  let subject: Subject;
  const small = bytesOf(4_096, 1);
  const large = bytesOf(3 * mebibyte + 5, 2);

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-contract-'));
    volume = new SampleVolume(dir, volumeId);
    volume.put(1n, small, {
      name: 'small.txt',
      mime: 'text/plain',
      lastModifiedSeconds: 1_700_000_000,
    });
    volume.put(2n, large);
    subject = await kind.open({ dir, arenaBytes: 64 * mebibyte });
    await whenServed(subject.fetcher, volumeId);
  });

  afterEach(async () => {
    await subject.close();
    expect(subject.client.stats()).toMatchObject({ leasesOutstanding: 0, leaseLeaks: 0 });
    volume.close();
    rmSync(dir, { recursive: true });
  });

  const read = (needleId: bigint, change?: Partial<ReadCommand>): Promise<FetchResult> =>
    subject.fetcher.read(readOf(needleId, change));

  it('answers a whole needle with everything that is known about it', async () => {
    const { needle, data } = mustBeNeedle(await read(1n));
    expect(needle).toMatchObject({
      volumeId,
      needleId: 1n,
      cookie: 1,
      volumeVersion: 3,
      dataBytes: small.length,
      isStream: false,
      lastModifiedSeconds: 1_700_000_000,
      ttlLeftMs: undefined,
      name: 'small.txt',
      mime: 'text/plain',
      pairs: '',
    });
    expect(needle.position).toBe(BigInt(volume.idxBytes));
    expect(needle.appendAtNs).toBeGreaterThan(0n);
    expect(needle.indexBytes).toBeGreaterThan(small.length);
    expect(data?.offset).toBe(0);
    expect(data?.lease.bytes).toBe(small.length);
    expect(data?.view.equals(small)).toBe(true);
    data?.lease.release();
  });

  it('answers a large needle whole, as a stream needle', async () => {
    const result = await read(2n);
    expect(mustBeNeedle(result).needle.isStream).toBe(true);
    expect(takeBytes(result).equals(large)).toBe(true);
  });

  it('answers the slice asked for, cut at the end', async () => {
    const middle = await read(2n, { offset: 1_000_003, length: 70_001, wholeBytesMax: 0 });
    expect(mustBeNeedle(middle).data?.offset).toBe(1_000_003);
    expect(takeBytes(middle).equals(large.subarray(1_000_003, 1_070_004))).toBe(true);
    const tail = await read(2n, { offset: large.length - 10, length: 100, wholeBytesMax: 0 });
    expect(takeBytes(tail).equals(large.subarray(-10))).toBe(true);
  });

  it('answers a small needle whole, whatever slice was asked for', async () => {
    const result = await read(1n, { offset: 100, length: 5, wholeBytesMax: mebibyte });
    expect(mustBeNeedle(result).data?.offset).toBe(0);
    expect(takeBytes(result).equals(small)).toBe(true);
  });

  it('answers no data for a range past the end and for metadata alone', async () => {
    const past = await read(2n, { offset: large.length, length: 5, wholeBytesMax: 0 });
    expect(mustBeNeedle(past)).toMatchObject({
      needle: { dataBytes: large.length },
      data: undefined,
    });
    const metadata = await read(1n, { metadataOnly: true });
    expect(mustBeNeedle(metadata)).toMatchObject({
      needle: { dataBytes: small.length, name: 'small.txt', mime: 'text/plain' },
      data: undefined,
    });
    expect(subject.client.stats().leasesOutstanding).toBe(0);
  });

  it('counts what was asked of the target', async () => {
    takeBytes(await read(1n));
    await read(99n);
    await subject.fetcher.ping(10_000);
    expect(subject.fetcher.counts).toMatchObject({
      established: 1,
      lost: 0,
      failed: 0,
      fetches: { ok: 1, not_found: 1 },
      bytesFetched: small.length,
    });
    expect(subject.fetcher.counts.pingUs).toBeGreaterThan(0);
  });

  it('tells why there is no answer', async () => {
    volume.put(4n, small);
    volume.delete(4n);
    volume.put(5n, small);
    volume.flipDataByte(5n);
    expect(await read(99n)).toEqual({ kind: 'failed', status: 'not_found' });
    expect(await read(4n)).toEqual({ kind: 'failed', status: 'deleted' });
    expect(await read(1n, { cookie: 2 })).toEqual({ kind: 'failed', status: 'cookie_mismatch' });
    expect(await read(5n)).toEqual({ kind: 'failed', status: 'corrupt' });
    expect(await read(1n, { volumeId: 77 })).toEqual({ kind: 'failed', status: 'unknown_volume' });
    expect(await read(2n, { budgetBytes: 1_000 })).toEqual({ kind: 'failed', status: 'too_large' });
  });

  it('sees an overwrite that came before the request', async () => {
    for (let round = 0; round < 20; round += 1) {
      const bytes = bytesOf(2_000 + round, round);
      volume.put(1n, bytes);
      expect(takeBytes(await read(1n)).equals(bytes)).toBe(true);
    }
  });

  it('answers no_slab while leases hold the arena, and recovers', async () => {
    const held: Fetched[] = [];
    let result = await read(2n);
    while (result.kind === 'needle' && held.length < 64) {
      held.push(result);
      result = await read(2n);
    }
    expect(result).toEqual({ kind: 'failed', status: 'no_slab' });
    // What is held is whole still, although the arena was asked for more than it has.
    for (const { data } of held) expect(data?.view.equals(large)).toBe(true);
    for (const { data } of held) data?.lease.release();
    expect(takeBytes(await read(2n)).equals(large)).toBe(true);
  });

  it('keeps many requests in flight apart', async () => {
    for (let id = 10; id < 74; id += 1) volume.put(BigInt(id), bytesOf(id * 100, id));
    const ids = Array.from({ length: 640 }, (_, i) => 10 + (i % 64));
    const results = await Promise.all(ids.map((id) => read(BigInt(id))));
    for (const [index, result] of results.entries()) {
      const id = ids[index] as number;
      expect(mustBeNeedle(result).needle.needleId).toBe(BigInt(id));
      expect(takeBytes(result).equals(bytesOf(id * 100, id))).toBe(true);
    }
  });

  it('announces volumes that come and go', async () => {
    const { fetcher } = subject;
    const added = new SampleVolume(dir, 8, 'pictures');
    added.put(1n, small);
    await whenServed(fetcher, 8);
    expect(fetcher.volumes.get(8)).toMatchObject({
      volumeId: 8,
      version: 3,
      collection: 'pictures',
    });
    added.close();
    added.remove();
    await when(fetcher, () => !fetcher.volumes.has(8));
    expect(fetcher.volumes.has(volumeId)).toBe(true);
  });

  it('validates: nothing, writes and deletes since, another generation, no volume', async () => {
    const { epoch, position } = mustBeNeedle(await read(1n, { metadataOnly: true })).needle;
    const ask = async (id = volumeId) => {
      const result = await subject.fetcher.validate([{ volumeId: id, epoch, position }], 5_000);
      if (result.kind === 'failed') throw new Error(result.status);
      return result.verdicts[0];
    };
    expect(await ask()).toEqual({
      volumeId,
      epoch,
      position,
      verdict: 'changed',
      changedIds: [],
      leased: false,
    });
    volume.put(7n, small);
    volume.delete(1n);
    const since = await ask();
    expect(since).toMatchObject({ epoch, verdict: 'changed', position: BigInt(volume.idxBytes) });
    expect([...(since?.changedIds ?? [])].sort()).toEqual([1n, 7n]);
    expect(await ask(55)).toMatchObject({ verdict: 'gone', changedIds: [] });
    volume.vacuum();
    const after = await ask();
    expect(after?.verdict).not.toBe('changed');
    // While the new files are loaded, nothing is answered from either generation.
    await expect
      .poll(async () => (await read(2n, { metadataOnly: true })).kind, { timeout: 10_000 })
      .toBe('needle');
    expect(takeBytes(await read(2n)).equals(large)).toBe(true);
    const renewed = mustBeNeedle(await read(2n, { metadataOnly: true })).needle;
    expect(renewed.epoch).not.toBe(epoch);
  });

  it('validates more items than one message holds', async () => {
    const { epoch, position } = mustBeNeedle(await read(1n, { metadataOnly: true })).needle;
    const items = Array.from({ length: 2_500 }, () => ({ volumeId, epoch, position }));
    const result = await subject.fetcher.validate(items, 5_000);
    expect(result.kind === 'verdicts' && result.verdicts.length).toBe(2_500);
  });

  it('answers a ping', async () => {
    const pong = await subject.fetcher.ping(5_000);
    expect(pong).toMatchObject({ kind: 'pong', arenaBytes: expect.any(Number) });
    expect(pong.kind === 'pong' && pong.roundTripUs).toBeGreaterThan(0);
  });

  it('ends requests in flight when it is closed, each once', async () => {
    const pending = Array.from({ length: 50 }, () => read(2n, { metadataOnly: true }));
    const closing = subject.fetcher.close();
    const results = await Promise.all(pending);
    await closing;
    await subject.fetcher.close();
    for (const result of results) {
      if (result.kind === 'failed') expect(result.status).toBe('closed');
      else result.data?.lease.release();
    }
    expect(results.some((result) => result.kind === 'failed')).toBe(true);
    expect(await read(1n)).toEqual({ kind: 'failed', status: 'closed' });
    expect(subject.fetcher.state).toMatchObject({ kind: 'down', status: 'closed' });
  });

  it('keeps a lease readable after its client was closed', async () => {
    const { data } = mustBeNeedle(await read(2n));
    await subject.client.close();
    expect(data?.view.equals(large)).toBe(true);
    expect(subject.client.stats().leasesOutstanding).toBe(1);
    data?.lease.release();
  });
});
