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
} from '../../../test/unit/cache-rig.ts';

describe('single flight', () => {
  it('makes one READ for all, and validates for whoever came after it was posted', async () => {
    const bench = new CacheRig();
    const owner = bench.fetch();
    const late = [bench.fetch(), bench.fetch()];
    expect(bench.fetcher.reads).toHaveLength(1);
    bench.lastRead.needle(old);
    expect(textOf(await owner)).toBe('old bytes');
    for (const joiner of await Promise.all(late)) expect(joiner).toEqual({ kind: 'again' });
    const hit = bench.find();
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    expect(await hit).toEqual({ kind: 'miss', stale: true });
    expect(bench.cache.stats().joins).toBe(2);
  });

  it('shares the answer with those who came before it was posted', async () => {
    const bench = new CacheRig();
    const early = bench.cache.arrive();
    const owner = bench.fetch();
    const joiner = bench.fetch(7n, {}, early);
    bench.lastRead.needle(old);
    expect(textOf(await owner)).toBe('old bytes');
    expect(textOf(await joiner)).toBe('old bytes');
    expect(bench.fetcher.leasesOut).toBe(1);
    bench.cache.close();
    expect(bench.fetcher.leasesOut).toBe(0);
  });

  it('gives a failure to those who came before, and nothing to those who came after', async () => {
    const bench = new CacheRig();
    const early = bench.cache.arrive();
    const owner = bench.fetch();
    const joiners = [bench.fetch(7n, {}, early), bench.fetch()];
    bench.lastRead.answer({ kind: 'failed', status: 'not_found' });
    const notFound = { kind: 'failed', status: 'not_found' };
    expect(await owner).toEqual(notFound);
    expect(await Promise.all(joiners)).toEqual([notFound, { kind: 'again' }]);
  });

  it('never joins a READ with another cookie', async () => {
    const bench = new CacheRig();
    void bench.fetch(7n, { cookie: 10 });
    const right = bench.fetch();
    expect(bench.fetcher.reads).toHaveLength(2);
    bench.lastRead.needle(fresh);
    expect(textOf(await right)).toBe('fresh bytes');
  });

  it('lets ranges wait for a needle that comes whole', async () => {
    const bench = new CacheRig();
    const whole = bench.fetch();
    const range = bench.fetch(7n, rangeRead);
    expect(bench.fetcher.reads).toHaveLength(1);
    bench.lastRead.needle(old);
    release(await whole);
    expect(await range).toEqual({ kind: 'again' });
  });

  it('lets ranges of a needle that is known to be large go side by side', async () => {
    const bench = new CacheRig();
    const first = bench.fetch(7n, rangeRead);
    const waiting = bench.fetch(7n, { ...rangeRead, offset: 5 });
    expect(bench.fetcher.reads).toHaveLength(1);
    bench.lastRead.needle(old);
    expect(textOf(await first)).toBe('d b');
    expect(await waiting).toEqual({ kind: 'again' });
    const both = [bench.fetch(7n, rangeRead), bench.fetch(7n, { ...rangeRead, offset: 5 })];
    expect(bench.fetcher.reads).toHaveLength(3);
    for (const read of bench.fetcher.reads.slice(1)) read.needle(old);
    expect((await Promise.all(both)).map(textOf)).toEqual(['d b', 'yte']);
    expect(bench.cache.stats().needles).toBe(0);
    expect(bench.fetcher.leasesOut).toBe(0);
  });

  it('caches nothing that a VALIDATE named while it was under way', async () => {
    const bench = new CacheRig();
    await bench.fill(fresh, 8n);
    const fetched = bench.fetch();
    void bench.find(8n);
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ position: 176n, changedIds: [7n] });
    await turn();
    bench.lastRead.needle(old);
    expect(textOf(await fetched)).toBe('old bytes');
    expect(await bench.find()).toEqual({ kind: 'miss', stale: false });
  });

  it('caches what was read behind a VALIDATE that did not name it', async () => {
    const bench = new CacheRig();
    await bench.fill(fresh, 8n);
    const fetched = bench.fetch();
    void bench.find(8n);
    await bench.posted();
    bench.fetcher.validates[0]?.verdicts({ position: 192n, changedIds: [9n] });
    await turn();
    bench.lastRead.needle(old, { position: 176n });
    release(await fetched);
    const hit = bench.find();
    await bench.posted(2);
    expect(bench.fetcher.validates[1]?.items[0]?.position).toBe(192n);
    bench.fetcher.validates[1]?.verdicts();
    expect(textOf(await hit)).toBe('old bytes');
  });

  it('drops what was read before a new generation, and takes no old answer after it', async () => {
    const bench = new CacheRig();
    await bench.fill();
    const slow = bench.fetch(8n);
    const slowRead = bench.lastRead;
    const quick = bench.fetch(9n);
    bench.lastRead.needle(fresh, { epoch: 12n, position: 32n });
    release(await quick);
    slowRead.needle(old);
    release(await slow);
    expect(await bench.find(7n)).toEqual({ kind: 'miss', stale: false });
    expect(await bench.find(8n)).toEqual({ kind: 'miss', stale: false });
    const hit = bench.find(9n);
    await bench.posted();
    expect(bench.fetcher.validates[0]?.items).toEqual([{ volumeId: 3, epoch: 12n, position: 32n }]);
    bench.fetcher.validates[0]?.verdicts();
    expect(textOf(await hit)).toBe('fresh bytes');
  });

  it('takes no first answer at an earlier position than another one that set the volume`s', async () => {
    const bench = new CacheRig();
    const early = bench.fetch(7n);
    const earlyRead = bench.lastRead;
    const later = bench.fetch(8n);
    bench.lastRead.needle(fresh, { position: 320n });
    release(await later);
    earlyRead.needle(old, { position: 160n });
    release(await early);
    expect(await bench.find(7n)).toEqual({ kind: 'miss', stale: false });
  });
});

describe('a write that passes through', () => {
  it.each(['strict', 'lease', 'immutable'] as const)(
    'drops the needle at once (%s)',
    async (mode) => {
      const bench = new CacheRig(modes[mode]);
      await bench.fill();
      bench.cache.written(3, 7n);
      expect(await bench.find()).toEqual({ kind: 'miss', stale: false });
      expect(bench.fetcher.leasesOut).toBe(0);
      expect(bench.cache.stats().evictions.written).toBe(1);
    },
  );

  it.each(['strict', 'lease', 'immutable'] as const)(
    'keeps a READ that was under way out of the cache (%s)',
    async (mode) => {
      const bench = new CacheRig(modes[mode]);
      const fetched = bench.fetch();
      bench.cache.written(3, 7n);
      bench.lastRead.needle(old);
      release(await fetched);
      expect(await bench.find()).toEqual({ kind: 'miss', stale: false });
      expect(bench.fetcher.leasesOut).toBe(0);
    },
  );

  it('lets nobody join a READ that it overtook, whichever of them lands first', async () => {
    const bench = new CacheRig(modes.immutable);
    const before = bench.fetch();
    const slow = bench.lastRead;
    bench.cache.written(3, 7n);
    const after = bench.fetch();
    expect(bench.fetcher.reads).toHaveLength(2);
    bench.lastRead.needle(fresh);
    expect(textOf(await after)).toBe('fresh bytes');
    slow.needle(old);
    expect(textOf(await before)).toBe('old bytes');
    expect(textOf(await bench.find())).toBe('fresh bytes');
  });
});
