import { describe, expect, it } from 'vitest';
import {
  CacheRig,
  cookie,
  fresh,
  isPending,
  mebibyte,
  modes,
  old,
  release,
  textOf,
  wholeRead,
} from '../../../test/unit/cache-rig.ts';
import { epoch } from '../../../test/unit/manual-fetcher.ts';
import { CacheMemory } from '../../rdma/cache-memory.ts';
import type { CachedVolume } from './cached-volume.ts';
import type { Found } from './found.ts';

const volumeOf4 = { volumeId: 4, version: 3, confirmed: true, collection: '' };

describe('a strict hit', () => {
  it('is served after a VALIDATE that was posted after it came', async () => {
    const rig = new CacheRig();
    await rig.fill();
    const first = rig.find();
    await rig.posted();
    const late = rig.find();
    rig.fetcher.validates[0]?.verdicts();
    expect(textOf(await first)).toBe('old bytes');
    expect(await isPending(late)).toBe(true);
    await rig.posted(2);
    rig.fetcher.validates[1]?.verdicts();
    expect(textOf(await late)).toBe('old bytes');
  });

  it('shares its VALIDATE with everybody who waits, of all volumes', async () => {
    const rig = new CacheRig();
    rig.fetcher.volumes.set(4, { volumeId: 4, version: 3, confirmed: true, collection: '' });
    await rig.fill();
    await rig.fill(fresh, 8n);
    const other = rig.cache.volume(rig.fetcher, 4) as CachedVolume;
    const command = { ...wholeRead, volumeId: 4 };
    const fetched = rig.cache.fetch(other, rig.fetcher, command, rig.cache.arrive());
    rig.lastRead.needle(old);
    release(await fetched);
    const hits = [rig.find(7n), rig.find(8n), rig.find(7n), rig.findIn(other)];
    await rig.posted();
    expect(rig.fetcher.validates[0]?.items).toEqual([
      { volumeId: 3, epoch, position: 160n },
      { volumeId: 4, epoch, position: 160n },
    ]);
    rig.fetcher.validates[0]?.verdicts();
    for (const hit of await Promise.all(hits)) expect(textOf(hit)).toMatch(/bytes/);
    expect(rig.cache.stats()).toMatchObject({ hits: 4, validatedHits: 4, validations: 1 });
  });

  it('is none where its needle changed; others of the volume are', async () => {
    const rig = new CacheRig();
    await rig.fill();
    await rig.fill(fresh, 8n);
    const hits = [rig.find(7n), rig.find(8n)];
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    const [changed, same] = await Promise.all(hits);
    expect(changed).toEqual({ kind: 'miss', stale: true });
    expect(textOf(same as Found)).toBe('fresh bytes');
    expect(rig.cache.stats().evictions.changed).toBe(1);
    void rig.find(8n);
    await rig.posted(2);
    expect(rig.fetcher.validates[1]?.items[0]?.position).toBe(176n);
  });

  it.each([
    ['flush', { kind: 'miss', stale: true }, 0],
    ['gone', { kind: 'barred', status: 'unknown_volume' }, 0],
    ['unconfirmed', { kind: 'barred', status: 'volume_unconfirmed' }, 1],
  ] as const)('of a volume that is %s is %o', async (verdict, expected, left) => {
    const rig = new CacheRig();
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ verdict, epoch: 12n, position: 16n });
    expect(await hit).toEqual(expected);
    expect(rig.cache.stats()).toMatchObject({ needles: left, slabs: left });
    expect(rig.fetcher.leasesOut).toBe(0);
  });

  it('ends with the status of a VALIDATE that failed, also for those who wait for the next', async () => {
    const told: string[] = [];
    const rig = new CacheRig(modes.strict, { onRoundTrip: (_, status) => told.push(status) });
    await rig.fill();
    const hits = [rig.find(), rig.find()];
    await rig.posted();
    hits.push(rig.find());
    rig.fetcher.validates[0]?.answer({ kind: 'failed', status: 'deadline' });
    for (const hit of hits) expect(await hit).toEqual({ kind: 'barred', status: 'deadline' });
    expect(rig.cache.stats()).toMatchObject({ validations: 1, validationsFailed: 1, needles: 1 });
    expect(told).toEqual(['deadline']);
    await rig.posted(1);
  });

  it('asks only when it may', async () => {
    const rig = new CacheRig();
    await rig.fill();
    const mayNot = { mayAsk: () => false };
    expect(await rig.find(7n, cookie, mayNot)).toEqual({ kind: 'refused' });
    const immutable = new CacheRig(modes.immutable);
    await immutable.fill();
    expect(textOf(await immutable.find(7n, cookie, mayNot))).toBe('old bytes');
  });

  it('is none for another cookie, nor for a needle that its ttl is about to end', async () => {
    const rig = new CacheRig();
    await rig.fill();
    expect(await rig.find(7n, 10)).toEqual({ kind: 'miss', stale: false });
    const fetched = rig.fetch(8n);
    rig.lastRead.needle(old, { ttlLeftMs: 2001 });
    release(await fetched);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await rig.find(8n)).toEqual({ kind: 'miss', stale: false });
    expect(rig.cache.stats().evictions.expired).toBe(1);
  });

  it('counts a ttl from when its READ was posted', async () => {
    const rig = new CacheRig();
    const fetched = rig.fetch();
    await new Promise((resolve) => setTimeout(resolve, 30));
    rig.lastRead.needle(old, { ttlLeftMs: 2020 });
    release(await fetched);
    expect(await rig.find()).toEqual({ kind: 'miss', stale: false });
  });
});

describe('memory', () => {
  it('goes home when answers are sent, also of needles that left', async () => {
    const rig = new CacheRig(modes.immutable);
    await rig.fill();
    const hit = await rig.find();
    rig.cache.written(3, 7n);
    expect(rig.cache.stats().slabs).toBe(1);
    expect(textOf(hit)).toBe('old bytes');
    expect(rig.cache.stats().slabs).toBe(0);
  });

  it('stays within its bound, in slabs', async () => {
    const rig = new CacheRig(modes.immutable, { bytesMax: 64 * 1024 });
    for (let id = 1n; id <= 100n; id += 1n) await rig.fill(Buffer.alloc(1000), id);
    const { bytes, needles, evictions, refusals } = rig.cache.stats();
    expect(bytes).toBeLessThanOrEqual(64 * 1024);
    expect(bytes).toBe(needles * 1024);
    expect(needles + evictions.space + refusals).toBe(100);
    expect(rig.memory.stats().bytesUsed).toBe(needles * 1024);
    expect(rig.fetcher.leasesOut).toBe(0);
  });

  it('is given back where there is no room for another one', async () => {
    const rig = new CacheRig(modes.immutable, {
      bytesMax: 8 * mebibyte,
      memory: new CacheMemory({ bytes: 1, hugepages: 'off' }),
    });
    const large = (fill: number): Buffer => Buffer.alloc(900_000, fill);
    for (const id of [1n, 2n, 3n]) await rig.fill(large(Number(id)), id);
    expect(rig.cache.stats()).toMatchObject({ needles: 1, slabs: 1, evictions: { pressure: 2 } });
    const found = await rig.find(3n);
    expect('data' in found && found.data?.view.equals(large(3))).toBe(true);
    release(found);
  });

  it('is not kept where there is no room, and the read is answered all the same', async () => {
    const memory = new CacheMemory({ bytes: 1, hugepages: 'off' });
    const others = memory.keep(Buffer.alloc(1_500_000));
    const rig = new CacheRig(modes.strict, { bytesMax: 8 * mebibyte, memory });
    const fetched = rig.fetch();
    rig.lastRead.needle(Buffer.alloc(900_000, 'x'));
    expect(textOf(await fetched)).toBe('x'.repeat(900_000));
    expect(rig.cache.stats()).toMatchObject({ needles: 0, slabs: 1 });
    expect(rig.fetcher.leasesOut).toBe(0);
    others?.release();
  });

  it('is given back by a large volume in several turns, and nothing of it is served meanwhile', async () => {
    const rig = new CacheRig(modes.immutable);
    for (let id = 1n; id <= 2500n; id += 1n) await rig.fill(old, id);
    rig.fetcher.volumes = new Map([[4, { ...volumeOf4 }]]);
    const { volume } = rig;
    rig.fetcher.changed();
    expect(rig.cache.stats().needles).toBe(1500);
    for (const id of [1n, 1250n, 2500n]) {
      expect((await rig.findIn(volume, id)).kind).toBe('miss');
    }
    await expect.poll(() => rig.cache.stats().needles).toBe(0);
    expect(rig.cache.stats().evictions.gone).toBe(2500);
    expect(rig.memory.stats().bytesUsed).toBe(0);
  });

  it('is not taken by what lands after the end', async () => {
    const rig = new CacheRig();
    const fetched = rig.fetch();
    rig.cache.close();
    rig.lastRead.needle(old);
    release(await fetched);
    expect(rig.fetcher.leasesOut).toBe(0);
  });
});

describe('a large needle', () => {
  const large = Buffer.alloc(1000, 7);

  async function readRange(rig: CacheRig, start: number, end: number): Promise<boolean> {
    const whole = rig.cache.wantsWhole(rig.volume, 7n, start, end);
    const change = { offset: start, length: end - start, wholeBytesMax: whole ? mebibyte : 4 };
    const fetched = rig.fetch(7n, change);
    rig.lastRead.needle(large);
    release(await fetched);
    return whole;
  }

  async function readRanges(rig: CacheRig, starts: readonly number[]): Promise<boolean[]> {
    const whole = [];
    for (const start of starts) whole.push(await readRange(rig, start, start + 10));
    return whole;
  }

  it('is read whole when its ranges are asked for one after the other', async () => {
    const rig = new CacheRig(modes.immutable);
    expect(await readRanges(rig, [0, 10, 20])).toEqual([false, false, true]);
    expect(textOf(await rig.find())).toBe(large.toString());
  });

  it('is not, when they are asked for here and there', async () => {
    const rig = new CacheRig(modes.immutable);
    const starts = [0, 500, 30, 900, 200];
    expect(await readRanges(rig, starts)).toEqual(starts.map(() => false));
    expect(rig.cache.stats().needles).toBe(0);
  });

  it('is not, when it would take too much of the cache', async () => {
    const rig = new CacheRig(modes.immutable, { bytesMax: 7000 });
    expect(await readRanges(rig, [0, 10, 20, 30])).toEqual([false, false, false, false]);
  });
});
