/** Leases of volumes: what a target pushes to the proxy that holds one. `inproc` grants none. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Needle, ValidateVerdict, VolumeChange } from '../../src/rdma/needle-fetcher.ts';
import { SampleVolume } from './sample-volume.ts';
import { type Subject, subjectKinds, whenServed } from './subjects.ts';

const volumeId = 3;
const bytes = Buffer.from('leased');

describe.each(subjectKinds)('leases over $name', (kind) => {
  let dir: string;
  let volume: SampleVolume;
  let subject: Subject;
  let known: Needle;
  const changes: VolumeChange[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-leases-'));
    volume = new SampleVolume(dir, volumeId);
    volume.put(1n, bytes);
    volume.put(2n, bytes);
    subject = await kind.open({ dir, arenaBytes: 16 * 1024 * 1024 });
    await whenServed(subject.fetcher, volumeId);
    changes.length = 0;
    subject.fetcher.onVolumeChanged((change) => changes.push(change));
    known = await metadata();
  });

  afterEach(async () => {
    await subject.close();
    volume.close();
    rmSync(dir, { recursive: true });
  });

  async function metadata(): Promise<Needle> {
    const result = await subject.fetcher.read({
      volumeId,
      needleId: 1n,
      cookie: 1,
      offset: 0,
      length: 0,
      wholeBytesMax: 0,
      budgetBytes: 0,
      metadataOnly: true,
      timeoutMs: 5_000,
    });
    if (result.kind === 'failed') throw new Error(result.status);
    return result.needle;
  }

  async function ask(leaseMs: number, position = known.position): Promise<ValidateVerdict> {
    const items = [{ volumeId, epoch: known.epoch, position }];
    const result = await subject.fetcher.validate(items, 5_000, leaseMs);
    if (result.kind === 'failed') throw new Error(result.status);
    return result.verdicts[0] as ValidateVerdict;
  }

  const pushed = (count: number): Promise<void> =>
    expect.poll(() => changes.length, { timeout: 1_000, interval: 5 }).toBe(count);

  it('refuses a lease of no length that there is', async () => {
    for (const leaseMs of [-1, 60_001, Number.NaN]) {
      await expect(ask(leaseMs)).rejects.toThrow(RangeError);
    }
  });

  if (kind.name === 'inproc') {
    it('grants none, and pushes nothing', async () => {
      expect(await ask(1_000)).toMatchObject({ verdict: 'changed', leased: false });
      volume.put(1n, bytes);
      expect(await ask(1_000)).toMatchObject({ changedIds: [1n], leased: false });
      await sleep(100);
      expect(changes).toEqual([]);
    });
    return;
  }

  it('pushes writes and deletes within a second, each once', async () => {
    expect(await ask(10_000)).toMatchObject({ verdict: 'changed', leased: true });
    volume.put(7n, bytes);
    await pushed(1);
    const first = BigInt(volume.idxBytes);
    expect(changes).toEqual([
      { volumeId, epoch: known.epoch, from: known.position, to: first, changedIds: [7n] },
    ]);
    volume.delete(1n);
    await pushed(2);
    const to = BigInt(volume.idxBytes);
    expect(changes[1]).toEqual({
      volumeId,
      epoch: known.epoch,
      from: first,
      to,
      changedIds: [1n],
    });
  });

  it('tells what came after the position that was asked from', async () => {
    volume.put(2n, bytes);
    expect(await ask(10_000)).toMatchObject({ changedIds: [2n], leased: true });
    await pushed(1);
    expect(changes[0]).toMatchObject({ from: known.position, changedIds: [2n] });
  });

  it('pushes flush for a vacuum, and nothing after it', async () => {
    expect((await ask(10_000)).leased).toBe(true);
    volume.vacuum();
    await pushed(1);
    expect(changes[0]).toMatchObject({ volumeId, changedIds: 'flush' });
    await expect.poll(async () => (await ask(0)).verdict, { timeout: 10_000 }).toBe('flush');
    volume.put(5n, bytes);
    await sleep(100);
    expect(changes.length).toBe(1);
  });

  it('pushes flush for a volume that is removed', async () => {
    expect((await ask(10_000)).leased).toBe(true);
    volume.remove();
    await pushed(1);
    expect(changes[0]).toMatchObject({ volumeId, changedIds: 'flush' });
    expect(await ask(10_000)).toMatchObject({ verdict: 'gone', leased: false });
  });

  it('grants the new generation with the verdict that tells of it', async () => {
    volume.vacuum();
    let verdict = await ask(10_000);
    // Neither generation is served while the new one is loaded.
    for (let round = 0; round < 500 && verdict.verdict === 'unconfirmed'; round += 1) {
      expect(verdict.leased).toBe(false);
      await sleep(10);
      verdict = await ask(10_000);
    }
    expect(verdict).toMatchObject({ verdict: 'flush', leased: true });
    volume.put(5n, bytes);
    await pushed(1);
    expect(changes[0]).toMatchObject({
      epoch: verdict.epoch,
      from: verdict.position,
      changedIds: [5n],
    });
  });

  it('falls silent when the lease is over', async () => {
    expect((await ask(50)).leased).toBe(true);
    await sleep(150);
    volume.put(7n, bytes);
    await sleep(150);
    expect(changes).toEqual([]);
  });

  it('goes on when the lease is renewed', async () => {
    expect((await ask(200)).leased).toBe(true);
    expect((await ask(10_000)).leased).toBe(true);
    await sleep(300);
    volume.put(7n, bytes);
    await pushed(1);
  });

  it('pushes nothing without a lease, and a validation without one ends none', async () => {
    expect((await ask(0)).leased).toBe(false);
    volume.put(7n, bytes);
    await sleep(100);
    expect(changes).toEqual([]);
    expect((await ask(10_000)).leased).toBe(true);
    await pushed(1);
    expect((await ask(0)).leased).toBe(false);
    volume.put(8n, bytes);
    await pushed(2);
    expect(changes[1]).toMatchObject({ changedIds: [8n] });
  });
});
