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
import { epoch, ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import type { CachedVolume } from './cached-volume.ts';
import { type Found, NeedleCache } from './needle-cache.ts';

describe('a strict hit', () => {
  it('is served after a VALIDATE that was posted after it came', async () => {
    const bench = new CacheRig();
    await bench.fill();
    const first = bench.find();
    await bench.posted();
    const late = bench.find();
    bench.fetcher.validates[0]?.verdicts();
    expect(textOf(await first)).toBe('old bytes');
    expect(await isPending(late)).toBe(true);
    await bench.posted(2);
    bench.fetcher.validates[1]?.verdicts();
    expect(textOf(await late)).toBe('old bytes');
  });

  it('shares its VALIDATE with everybody who waits, of all volumes', async () => {
    const bench = new CacheRig();
    bench.fetcher.volumes.set(4, { volumeId: 4, version: 3, confirmed: true, collection: '' });
    await bench.fill();
    await bench.fill(fresh, 8n);
    const other = bench.cache.volume(bench.fetcher, 4) as CachedVolume;
    const command = { ...wholeRead, volumeId: 4 };
    const fetched = bench.cache.fetch(other, bench.fetcher, command, bench.cache.arrive());
    bench.lastRead.needle(old);
    release(await fetched);
    const hits = [
      bench.find(7n),
      bench.find(8n),
      bench.find(7n),
      Promise.resolve(bench.cache.find(other, bench.fetcher, { needleId: 7n, cookie }, true)),
    ];
    await bench.posted();
    expect(bench.fetcher.validates[0]?.items).toEqual([
      { volumeId: 3, epoch, position: 160n },
      { volumeId: 4, epoch, position: 160n },
    ]);
    bench.fetcher.validates[0]?.verdicts();
    for (const hit of await Promise.all(hits)) expect(textOf(hit)).toMatch(/bytes/);
    expect(bench.cache.stats()).toMatchObject({ hits: 4, validatedHits: 4, validations: 1 });
  });

  it('is none where its needle changed; others of the volume are', async () => {
    const bench = new CacheRig();
    await bench.fill();
    await bench.fill(fresh, 8n);
    const hits = [bench.find(7n), bench.find(8n)];
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    const [changed, same] = await Promise.all(hits);
    expect(changed).toEqual({ kind: 'miss', stale: true });
    expect(textOf(same as Found)).toBe('fresh bytes');
    expect(bench.cache.stats().evictions.changed).toBe(1);
    void bench.find(8n);
    await bench.posted(2);
    expect(bench.fetcher.validates[1]?.items[0]?.position).toBe(176n);
  });

  it.each([
    ['flush', { kind: 'miss', stale: true }, 0],
    ['gone', { kind: 'barred', status: 'unknown_volume' }, 0],
    ['unconfirmed', { kind: 'barred', status: 'volume_unconfirmed' }, 1],
  ] as const)('of a volume that is %s is %o', async (verdict, expected, left) => {
    const bench = new CacheRig();
    await bench.fill();
    const hit = bench.find();
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ verdict, epoch: 12n, position: 16n });
    expect(await hit).toEqual(expected);
    expect(bench.cache.stats().needles).toBe(left);
    expect(bench.fetcher.leasesOut).toBe(left);
  });

  it('is a miss when nobody can be asked', async () => {
    const bench = new CacheRig();
    await bench.fill();
    const hit = bench.find();
    await bench.posted();
    bench.fetcher.validates[0]?.answer({ kind: 'failed', status: 'deadline' });
    expect(await hit).toEqual({ kind: 'miss', stale: false });
    expect(bench.cache.stats()).toMatchObject({ validations: 1, validationsFailed: 1 });
  });

  it('is none for another cookie, nor for a needle that its ttl is about to end', async () => {
    const bench = new CacheRig();
    await bench.fill();
    expect(await bench.find(7n, 10)).toEqual({ kind: 'miss', stale: false });
    const fetched = bench.fetch(8n);
    bench.lastRead.needle(old, { ttlLeftMs: 2001 });
    release(await fetched);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await bench.find(8n)).toEqual({ kind: 'miss', stale: false });
    expect(bench.cache.stats().evictions.expired).toBe(1);
  });

  it('counts a ttl from when its READ was posted', async () => {
    const bench = new CacheRig();
    const fetched = bench.fetch();
    await new Promise((resolve) => setTimeout(resolve, 30));
    bench.lastRead.needle(old, { ttlLeftMs: 2020 });
    release(await fetched);
    expect(await bench.find()).toEqual({ kind: 'miss', stale: false });
  });
});

describe('a lease', () => {
  async function leased(): Promise<CacheRig> {
    const bench = new CacheRig(modes.lease);
    await bench.fill();
    const hit = bench.find();
    await bench.posted();
    expect(bench.fetcher.validates[0]?.leaseMs).toBe(1000);
    bench.fetcher.validates[0]?.verdicts({ leased: true });
    expect(textOf(await hit)).toBe('old bytes');
    return bench;
  }

  it('serves without asking', async () => {
    const bench = await leased();
    expect(textOf(await bench.find())).toBe('old bytes');
    await bench.posted(1);
  });

  it('ends after its time, counted from when it was asked for', async () => {
    const bench = new CacheRig({ consistency: 'lease', leaseMs: 30 });
    await bench.fill();
    const hit = bench.find();
    await bench.posted();
    await new Promise((resolve) => setTimeout(resolve, 40));
    bench.fetcher.validates[0]?.verdicts({ leased: true });
    release(await hit);
    const next = bench.find();
    expect(await isPending(next)).toBe(true);
    await bench.posted(2);
  });

  it('is not there where the target gives none', async () => {
    const bench = new CacheRig(modes.lease);
    await bench.fill();
    const hit = bench.find();
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ leased: false });
    release(await hit);
    expect(await isPending(bench.find())).toBe(true);
  });

  it('lets the target drop what changed', async () => {
    const bench = await leased();
    await bench.fill(fresh, 8n);
    const under = bench.fetch(9n);
    const change = { volumeId: 3, epoch, from: 160n, to: 192n, changedIds: [7n, 9n] };
    bench.fetcher.push(change);
    bench.lastRead.needle(old);
    release(await under);
    expect(await bench.find(7n)).toEqual({ kind: 'miss', stale: false });
    expect(await bench.find(9n)).toEqual({ kind: 'miss', stale: false });
    expect(textOf(await bench.find(8n))).toBe('fresh bytes');
  });

  it('ends with a push that tells too little', async () => {
    const bench = await leased();
    bench.fetcher.push({ volumeId: 3, epoch, from: 176n, to: 192n, changedIds: [] });
    expect(await isPending(bench.find())).toBe(true);
  });

  it.each([
    ['a flush', { epoch, changedIds: 'flush' }],
    ['another generation', { epoch: 12n, changedIds: [] }],
  ] as const)('ends with %s, which drops all', async (_, change) => {
    const bench = await leased();
    bench.fetcher.push({ volumeId: 3, from: 160n, to: 192n, ...change });
    expect(await bench.find()).toEqual({ kind: 'miss', stale: false });
    expect(bench.fetcher.leasesOut).toBe(0);
  });

  it('ends with the session', async () => {
    const bench = await leased();
    bench.fetcher.state = { kind: 'down', status: 'peer_lost', detail: '' };
    bench.fetcher.changed();
    bench.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 2n };
    bench.fetcher.changed();
    expect(await isPending(bench.find())).toBe(true);
  });
});

describe('immutable', () => {
  it('never asks, and does not mind another generation', async () => {
    const bench = new CacheRig(modes.immutable);
    await bench.fill();
    const fetched = bench.fetch(8n);
    bench.lastRead.needle(fresh, { epoch: 12n, position: 16n });
    release(await fetched);
    expect(textOf(await bench.find(7n))).toBe('old bytes');
    expect(textOf(await bench.find(8n))).toBe('fresh bytes');
    expect(bench.fetcher.validates).toHaveLength(0);
  });
});

describe('a volume', () => {
  it.each(['strict', 'immutable'] as const)(
    'that is not announced any more leaves the cache (%s)',
    async (mode) => {
      const bench = new CacheRig(modes[mode]);
      await bench.fill();
      const under = bench.fetch(8n);
      const underRead = bench.lastRead;
      const volume = { volumeId: 4, version: 3, confirmed: true, collection: '' };
      bench.fetcher.volumes = new Map([[4, volume]]);
      bench.fetcher.changed();
      expect(bench.cache.stats()).toMatchObject({ needles: 0, bytes: 0 });
      expect(bench.cache.volume(bench.fetcher, 3)).toBeUndefined();
      underRead.needle(old);
      release(await under);
      expect(bench.cache.stats().needles).toBe(0);
      expect(bench.fetcher.leasesOut).toBe(0);
    },
  );

  it('survives a session that was lost: it is asked about again', async () => {
    const bench = new CacheRig();
    await bench.fill();
    bench.fetcher.state = { kind: 'down', status: 'peer_lost', detail: '' };
    const { volumes } = bench.fetcher;
    bench.fetcher.volumes = new Map();
    bench.fetcher.changed();
    bench.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 2n };
    bench.fetcher.changed();
    bench.fetcher.volumes = volumes;
    bench.fetcher.changed();
    const hit = bench.find();
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts();
    expect(textOf(await hit)).toBe('old bytes');
  });

  it('has nothing cached where there is no cache', () => {
    const fetcher = new ManualFetcher();
    expect(NeedleCache.off().volume(fetcher, 3)).toBeUndefined();
  });
});

describe('memory', () => {
  it('goes home when answers are sent, also of needles that left', async () => {
    const bench = new CacheRig(modes.immutable);
    await bench.fill();
    const hit = await bench.find();
    bench.cache.written(3, 7n);
    expect(bench.fetcher.leasesOut).toBe(1);
    expect(textOf(hit)).toBe('old bytes');
    expect(bench.fetcher.leasesOut).toBe(0);
  });

  it('stays within its bound, in slabs', async () => {
    const bench = new CacheRig(modes.immutable, 64 * 1024);
    for (let id = 1n; id <= 100n; id += 1n) await bench.fill(Buffer.alloc(1000), id);
    const { bytes, needles, evictions, refusals } = bench.cache.stats();
    expect(bytes).toBeLessThanOrEqual(64 * 1024);
    expect(bytes).toBe(needles * 1024);
    expect(needles + evictions.space + refusals).toBe(100);
    expect(bench.fetcher.leasesOut).toBe(needles);
  });

  it('is given back when the arena is full, and the READ repeated', async () => {
    let count = 0;
    const rig = new CacheRig(modes.strict, 1 << 20, () => ({ count, lastBytes: 1000 }));
    await rig.fill();
    const fetched = rig.fetch(8n);
    count = 1;
    rig.lastRead.answer({ kind: 'failed', status: 'no_slab' });
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(rig.fetcher.reads).toHaveLength(3);
    expect(rig.cache.stats()).toMatchObject({ needles: 0, evictions: { pressure: 1 } });
    rig.lastRead.needle(fresh);
    expect(textOf(await fetched)).toBe('fresh bytes');
  });

  it('is kept when the other side`s arena is full', async () => {
    const rig = new CacheRig(modes.strict, 1 << 20, () => ({ count: 0, lastBytes: 0 }));
    await rig.fill();
    const fetched = rig.fetch(8n);
    rig.lastRead.answer({ kind: 'failed', status: 'no_slab' });
    expect(await fetched).toEqual({ kind: 'failed', status: 'no_slab' });
    expect(rig.fetcher.reads).toHaveLength(2);
    expect(rig.cache.stats().needles).toBe(1);
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
    const rig = new CacheRig(modes.immutable, 7000);
    expect(await readRanges(rig, [0, 10, 20, 30])).toEqual([false, false, false, false]);
  });
});
