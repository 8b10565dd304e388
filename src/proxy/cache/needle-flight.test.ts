import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  CacheRig,
  fresh,
  modes,
  old,
  rangeRead,
  release,
  textOf,
  wholeRead,
} from '../../../test/unit/cache-rig.ts';
import { ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import type { Fetched } from './needle-flight.ts';

describe('single flight', () => {
  it('makes one READ for all, and validates for readers that came after it was posted', async () => {
    const rig = new CacheRig();
    const owner = rig.fetch();
    const late = [rig.fetch(), rig.fetch()];
    expect(rig.fetcher.reads).toHaveLength(1);
    rig.lastRead.needle(old);
    expect(textOf(await owner)).toBe('old bytes');
    for (const joiner of await Promise.all(late)) expect(joiner).toEqual({ kind: 'again' });
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    expect(await hit).toEqual({ kind: 'miss', stale: true });
    expect(rig.cache.stats().joins).toBe(2);
  });

  it('shares the answer with those who came before it was posted', async () => {
    const rig = new CacheRig();
    const early = rig.cache.arrive();
    const owner = rig.fetch();
    const joiner = rig.fetch(7n, {}, early);
    rig.lastRead.needle(old);
    expect(textOf(await owner)).toBe('old bytes');
    expect(textOf(await joiner)).toBe('old bytes');
    expect([rig.fetcher.leasesOut, rig.cache.stats().slabs]).toEqual([0, 1]);
    rig.cache.close();
    expect(rig.cache.stats().slabs).toBe(0);
  });

  it('gives a failure to those who came before, and nothing to those who came after', async () => {
    const rig = new CacheRig();
    const early = rig.cache.arrive();
    const owner = rig.fetch();
    const joiners = [rig.fetch(7n, {}, early), rig.fetch()];
    rig.lastRead.answer({ kind: 'failed', status: 'not_found' });
    const notFound = { kind: 'failed', status: 'not_found' };
    expect(await owner).toEqual(notFound);
    const shared = { ...notFound, isShared: true };
    expect(await Promise.all(joiners)).toEqual([shared, { kind: 'again' }]);
  });

  it('never joins a READ with another cookie', async () => {
    const rig = new CacheRig();
    void rig.fetch(7n, { cookie: 10 });
    const right = rig.fetch();
    expect(rig.fetcher.reads).toHaveLength(2);
    rig.lastRead.needle(fresh);
    expect(textOf(await right)).toBe('fresh bytes');
  });

  it('is not kept from the right ones by readers with a wrong cookie', async () => {
    const rig = new CacheRig();
    void rig.fetch(7n, { cookie: 10 });
    const right = rig.fetch();
    const joiner = rig.fetch();
    void rig.fetch(7n, { cookie: 10 });
    expect(rig.fetcher.reads).toHaveLength(2);
    rig.lastRead.needle(fresh);
    release(await right);
    expect(await joiner).toEqual({ kind: 'again' });
    expect(rig.cache.stats()).toMatchObject({ needles: 1, joins: 2 });
  });

  it('lets ranges wait for a needle that comes whole', async () => {
    const rig = new CacheRig();
    const whole = rig.fetch();
    const range = rig.fetch(7n, rangeRead);
    expect(rig.fetcher.reads).toHaveLength(1);
    rig.lastRead.needle(old);
    release(await whole);
    expect(await range).toEqual({ kind: 'again' });
  });

  it('lets ranges of a needle that is known to be large go side by side', async () => {
    const rig = new CacheRig();
    const first = rig.fetch(7n, rangeRead);
    const waiting = rig.fetch(7n, { ...rangeRead, offset: 5 });
    expect(rig.fetcher.reads).toHaveLength(1);
    rig.lastRead.needle(old);
    expect(textOf(await first)).toBe('d b');
    expect(await waiting).toEqual({ kind: 'again' });
    const both = [rig.fetch(7n, rangeRead), rig.fetch(7n, { ...rangeRead, offset: 5 })];
    expect(rig.fetcher.reads).toHaveLength(3);
    for (const read of rig.fetcher.reads.slice(1)) read.needle(old);
    expect((await Promise.all(both)).map(textOf)).toEqual(['d b', 'yte']);
    expect(rig.cache.stats().needles).toBe(0);
    expect(rig.fetcher.leasesOut).toBe(0);
  });

  it('caches nothing that a VALIDATE named while it was under way', async () => {
    const rig = new CacheRig();
    await rig.fill(fresh, 8n);
    const fetched = rig.fetch();
    void rig.find(8n);
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    await turn();
    rig.lastRead.needle(old);
    expect(textOf(await fetched)).toBe('old bytes');
    expect(await rig.find()).toEqual({ kind: 'miss', stale: false });
  });

  it('caches what was read behind a VALIDATE that did not name it', async () => {
    const rig = new CacheRig();
    await rig.fill(fresh, 8n);
    const fetched = rig.fetch();
    void rig.find(8n);
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ position: 192n, changedIds: [9n] });
    await turn();
    rig.lastRead.needle(old, { position: 176n });
    release(await fetched);
    const hit = rig.find();
    await rig.posted(2);
    expect(rig.fetcher.validates[1]?.items[0]?.position).toBe(192n);
    rig.fetcher.validates[1]?.verdicts();
    expect(textOf(await hit)).toBe('old bytes');
  });

  it('drops what was read before a new generation, and takes no old answer after it', async () => {
    const rig = new CacheRig();
    await rig.fill();
    const slow = rig.fetch(8n);
    const slowRead = rig.lastRead;
    const quick = rig.fetch(9n);
    rig.lastRead.needle(fresh, { epoch: 12n, position: 32n });
    release(await quick);
    slowRead.needle(old);
    release(await slow);
    expect(await rig.find(7n)).toEqual({ kind: 'miss', stale: false });
    expect(await rig.find(8n)).toEqual({ kind: 'miss', stale: false });
    const hit = rig.find(9n);
    await rig.posted();
    expect(rig.fetcher.validates[0]?.items).toEqual([{ volumeId: 3, epoch: 12n, position: 32n }]);
    rig.fetcher.validates[0]?.verdicts();
    expect(textOf(await hit)).toBe('fresh bytes');
  });

  it('takes no first answer at an earlier position than another one that set the volume`s', async () => {
    const rig = new CacheRig();
    const early = rig.fetch(7n);
    const earlyRead = rig.lastRead;
    const later = rig.fetch(8n);
    rig.lastRead.needle(fresh, { position: 320n });
    release(await later);
    earlyRead.needle(old, { position: 160n });
    release(await early);
    expect(await rig.find(7n)).toEqual({ kind: 'miss', stale: false });
  });
});

describe('a READ that rejects', () => {
  it('leaves no reader waiting for it', async () => {
    const rig = new CacheRig();
    const fetcher = new ManualFetcher();
    fetcher.read = () => Promise.reject(new Error('a bug'));
    const { volume } = rig;
    const fetch = (): Promise<Fetched> =>
      rig.cache.fetch(volume, fetcher, wholeRead, rig.cache.arrive());
    const owner = fetch();
    const joiner = fetch();
    await expect(owner).rejects.toThrow('a bug');
    expect(await joiner).toEqual({ kind: 'again' });
    await expect(fetch()).rejects.toThrow('a bug');
  });
});

describe('a write that passes through', () => {
  it.each(['strict', 'lease', 'immutable'] as const)(
    'drops the needle at once (%s)',
    async (mode) => {
      const rig = new CacheRig(modes[mode]);
      await rig.fill();
      rig.cache.written(3, 7n);
      expect(await rig.find()).toEqual({ kind: 'miss', stale: false });
      expect(rig.fetcher.leasesOut).toBe(0);
      expect(rig.cache.stats().evictions.written).toBe(1);
    },
  );

  it.each(['strict', 'lease', 'immutable'] as const)(
    'keeps a READ that was under way out of the cache (%s)',
    async (mode) => {
      const rig = new CacheRig(modes[mode]);
      const fetched = rig.fetch();
      rig.cache.written(3, 7n);
      rig.lastRead.needle(old);
      release(await fetched);
      expect(await rig.find()).toEqual({ kind: 'miss', stale: false });
      expect(rig.fetcher.leasesOut).toBe(0);
    },
  );

  it('that was never answered keeps its needle out of an immutable cache: it may be done yet', async () => {
    const rig = new CacheRig(modes.immutable);
    rig.volume.keyOf(7n);
    rig.cache.written(3, 7n);
    rig.cache.written(3, 7n, true);
    await rig.fill(old, 7n);
    await rig.fill(old, 8n);
    expect((await rig.find(7n)).kind).toBe('miss');
    expect(textOf(await rig.find(8n))).toBe('old bytes');
    const strict = new CacheRig();
    strict.volume.keyOf(7n);
    strict.cache.written(3, 7n, true);
    await strict.fill();
    expect(strict.cache.stats().needles).toBe(1);
  });

  it('lets no reader join a READ that it overtook, whichever of them lands first', async () => {
    const rig = new CacheRig(modes.immutable);
    const before = rig.fetch();
    const slow = rig.lastRead;
    rig.cache.written(3, 7n);
    const after = rig.fetch();
    expect(rig.fetcher.reads).toHaveLength(2);
    rig.lastRead.needle(fresh);
    expect(textOf(await after)).toBe('fresh bytes');
    slow.needle(old);
    expect(textOf(await before)).toBe('old bytes');
    expect(textOf(await rig.find())).toBe('fresh bytes');
  });
});
