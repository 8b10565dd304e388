import { describe, expect, it } from 'vitest';
import {
  CacheRig,
  fresh,
  isPending,
  modes,
  old,
  release,
  textOf,
} from '../../../test/unit/cache-rig.ts';
import { epoch, ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import { NeedleCache } from './needle-cache.ts';

const volumeOf4 = { volumeId: 4, version: 3, confirmed: true, collection: '' };

describe('a lease', () => {
  async function leased(): Promise<CacheRig> {
    const rig = new CacheRig(modes.lease);
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    expect(rig.fetcher.validates[0]?.leaseMs).toBe(1000);
    rig.fetcher.validates[0]?.verdicts({ leased: true });
    expect(textOf(await hit)).toBe('old bytes');
    return rig;
  }

  it('serves without asking', async () => {
    const rig = await leased();
    expect(textOf(await rig.find())).toBe('old bytes');
    await rig.posted(1);
  });

  it('ends after its time, counted from when it was asked for', async () => {
    const rig = new CacheRig({ consistency: 'lease', leaseMs: 30 });
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    await new Promise((resolve) => setTimeout(resolve, 40));
    rig.fetcher.validates[0]?.verdicts({ leased: true });
    release(await hit);
    const next = rig.find();
    expect(await isPending(next)).toBe(true);
    await rig.posted(2);
  });

  it('is not there where the target gives none', async () => {
    const rig = new CacheRig(modes.lease);
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts({ leased: false });
    release(await hit);
    expect(await isPending(rig.find())).toBe(true);
  });

  it('lets the target drop what changed', async () => {
    const rig = await leased();
    await rig.fill(fresh, 8n);
    const under = rig.fetch(9n);
    const change = { volumeId: 3, epoch, from: 160n, to: 192n, changedIds: [7n, 9n] };
    rig.fetcher.push(change);
    rig.lastRead.needle(old);
    release(await under);
    expect(await rig.find(7n)).toEqual({ kind: 'miss', stale: false });
    expect(await rig.find(9n)).toEqual({ kind: 'miss', stale: false });
    expect(textOf(await rig.find(8n))).toBe('fresh bytes');
  });

  it('ends with a push that tells too little', async () => {
    const rig = await leased();
    rig.fetcher.push({ volumeId: 3, epoch, from: 176n, to: 192n, changedIds: [] });
    expect(await isPending(rig.find())).toBe(true);
  });

  it.each([
    ['a flush', { epoch, changedIds: 'flush' }],
    ['another generation', { epoch: 12n, changedIds: [] }],
  ] as const)('ends with %s, which drops all', async (_, change) => {
    const rig = await leased();
    rig.fetcher.push({ volumeId: 3, from: 160n, to: 192n, ...change });
    expect(await rig.find()).toEqual({ kind: 'miss', stale: false });
    expect(rig.fetcher.leasesOut).toBe(0);
  });

  it('is not given to another session than the one that asked', async () => {
    const rig = new CacheRig(modes.lease);
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 2n };
    rig.fetcher.validates[0]?.verdicts({ leased: true });
    expect(textOf(await hit)).toBe('old bytes');
    expect(await isPending(rig.find())).toBe(true);
  });

  it('ends with the session', async () => {
    const rig = await leased();
    rig.fetcher.state = { kind: 'down', status: 'peer_lost', detail: '' };
    rig.fetcher.changed();
    rig.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 2n };
    rig.fetcher.changed();
    expect(await isPending(rig.find())).toBe(true);
  });

  it('ends where a session on another rail takes its place, though the number is the same', async () => {
    const rig = await leased();
    rig.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 1n };
    rig.fetcher.changed();
    expect(await isPending(rig.find())).toBe(true);
  });

  it('is not given where a session on another rail takes its place meanwhile, with the same number', async () => {
    const rig = new CacheRig(modes.lease);
    await rig.fill();
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 1n };
    rig.fetcher.changed();
    rig.fetcher.validates[0]?.verdicts({ leased: true });
    await hit;
    expect(await isPending(rig.find())).toBe(true);
  });
});

describe('immutable', () => {
  it('never asks, and does not mind another generation', async () => {
    const rig = new CacheRig(modes.immutable);
    await rig.fill();
    const fetched = rig.fetch(8n);
    rig.lastRead.needle(fresh, { epoch: 12n, position: 16n });
    release(await fetched);
    expect(textOf(await rig.find(7n))).toBe('old bytes');
    expect(textOf(await rig.find(8n))).toBe('fresh bytes');
    expect(rig.fetcher.validates).toHaveLength(0);
  });
});

describe('a volume', () => {
  it.each(['strict', 'immutable'] as const)(
    'that is not announced any more leaves the cache (%s)',
    async (mode) => {
      const rig = new CacheRig(modes[mode]);
      await rig.fill();
      const under = rig.fetch(8n);
      const underRead = rig.lastRead;
      rig.fetcher.volumes = new Map([[4, volumeOf4]]);
      rig.fetcher.changed();
      expect(rig.cache.stats()).toMatchObject({ needles: 0, bytes: 0 });
      expect(rig.cache.volume(rig.fetcher, 3)).toBeUndefined();
      underRead.needle(old);
      release(await under);
      expect(rig.cache.stats().needles).toBe(0);
      expect(rig.fetcher.leasesOut).toBe(0);
    },
  );

  it('survives a session that was lost: it is asked about again', async () => {
    const rig = new CacheRig();
    await rig.fill();
    rig.fetcher.state = { kind: 'down', status: 'peer_lost', detail: '' };
    const { volumes } = rig.fetcher;
    rig.fetcher.volumes = new Map();
    rig.fetcher.changed();
    rig.fetcher.state = { kind: 'up', transport: 'manual', sessionId: 2n };
    rig.fetcher.changed();
    rig.fetcher.volumes = volumes;
    rig.fetcher.changed();
    const hit = rig.find();
    await rig.posted();
    rig.fetcher.validates[0]?.verdicts();
    expect(textOf(await hit)).toBe('old bytes');
  });

  it('has nothing cached where there is no cache', () => {
    const fetcher = new ManualFetcher();
    expect(NeedleCache.off().volume(fetcher, 3)).toBeUndefined();
  });
});
