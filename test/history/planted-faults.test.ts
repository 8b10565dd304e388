/**
 * The judge finds what it is there for: each way to be stale that the cache guards against is planted, and found; without
 * the fault the same steps show nothing wrong. Every step waits for the one before it, so that each run is the same.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { CachePolicy } from '../../src/proxy/cache/cache-policy.ts';
import { NeedleCache, type NeedleCacheOptions } from '../../src/proxy/cache/needle-cache.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { type SubjectKind, subjectKinds } from '../contract/subjects.ts';
import { eventually } from '../integration/http-front-fixture.ts';
import type { Interposition } from './interposed-fetcher.ts';
import type { JudgedRead } from './judged-read.ts';
import { ProxyInProcess } from './proxy-in-process.ts';

const strict: CachePolicy = { consistency: 'strict', leaseMs: 0 };
const lease: CachePolicy = { consistency: 'lease', leaseMs: 60_000 };
const immutable: CachePolicy = { consistency: 'immutable', leaseMs: 0 };
const kinds = subjectKinds.filter(
  ({ name }) => name === 'inproc' || (name === 'ucx-shm' && loadBinding().hasUcx),
);

/** Planted: writes that pass through are none of its business. */
class HeedlessCache extends NeedleCache {
  override written(): void {}
}

/** Planted: drops a needle when its write leaves for the volume server, and not again when that has answered. */
class HastyCache extends NeedleCache {
  #calls = 0;

  override written(volumeId: number, needleId: bigint): void {
    this.#calls += 1;
    if (this.#calls % 2 === 1) super.written(volumeId, needleId);
  }
}

type NewCache = (options: NeedleCacheOptions) => NeedleCache;
const soundCache: NewCache = (options) => new NeedleCache(options);
const heedlessCache: NewCache = (options) => new HeedlessCache(options);
const hastyCache: NewCache = (options) => new HastyCache(options);

let proxy: ProxyInProcess;
afterEach(() => proxy.close());

async function start(
  kind: SubjectKind,
  policy: CachePolicy,
  interposition: Interposition = {},
  newCache = soundCache,
): Promise<void> {
  proxy = await ProxyInProcess.start({ kind, policy, interposition, newCache });
}

/** Resolves when the needle comes from the cache. */
async function readUntilCached(needle = proxy.needle): Promise<void> {
  for (let i = 0; i < 10; i += 1) {
    const { source, violation } = await proxy.read(needle);
    expect(violation).toBeUndefined();
    if (source === 'cache') return;
  }
  throw new Error('never came from the cache');
}

/** What a target read before a change arrives after it was acknowledged; a read begun then joins it. */
async function readBesideStalledOne(): Promise<readonly [stalled: JudgedRead, late: JudgedRead]> {
  proxy.writeDirectly();
  const held = proxy.fetcher.holdNextRead();
  const stalled = proxy.read();
  await held.answered;
  proxy.writeDirectly();
  const late = proxy.read();
  await eventually(() => proxy.cache.stats().joins === 1);
  held.release();
  return Promise.all([stalled, late]);
}

/** A hit waits for a VALIDATE whose answer stalls; meanwhile the needle is overwritten, and read by somebody else. */
async function readBesideStalledValidation(): Promise<
  readonly [stalled: JudgedRead, late: JudgedRead]
> {
  proxy.writeDirectly();
  await readUntilCached();
  const held = proxy.fetcher.holdNextValidation();
  const stalled = proxy.read();
  await held.answered;
  proxy.writeDirectly();
  const { requestsInFlight } = proxy;
  const late = proxy.read();
  await eventually(() => proxy.requestsInFlight > requestsInFlight);
  held.release();
  return Promise.all([stalled, late]);
}

async function changeBesideFetch(change: 'write' | 'delete'): Promise<JudgedRead> {
  const held = proxy.fetcher.holdNextRead();
  const stalled = proxy.read();
  await held.answered;
  await proxy.changeThroughProxy(change);
  held.release();
  expect((await stalled).violation).toBeUndefined();
  return proxy.read();
}

/** The READ leaves after the write was forwarded, and returns after that was answered. */
async function fetchBesideChange(change: 'write' | 'delete'): Promise<JudgedRead> {
  const held = proxy.fetcher.holdNextRead();
  const gate = proxy.server.holdNextChange();
  const changed = proxy.changeThroughProxy(change);
  await gate.arrived;
  const stalled = proxy.read();
  await held.answered;
  gate.release();
  await changed;
  held.release();
  expect((await stalled).violation).toBeUndefined();
  return proxy.read();
}

describe.each(kinds)('over $name, a cache', (kind) => {
  test('that validates shows an overwrite to the next read', async () => {
    await start(kind, strict);
    proxy.writeDirectly();
    await readUntilCached();
    proxy.writeDirectly();
    expect(await proxy.read()).toMatchObject({ source: 'rdma', violation: undefined });
  });

  test('that skips the validation is found', async () => {
    await start(kind, strict, { skipsValidation: true });
    proxy.writeDirectly();
    await readUntilCached();
    proxy.writeDirectly();
    expect(await proxy.read()).toMatchObject({ source: 'cache', violation: { kind: 'stale' } });
  });

  test('that validates gives a late joiner of a stalled READ the newer version', async () => {
    await start(kind, strict);
    const [stalled, late] = await readBesideStalledOne();
    expect([stalled.violation, late.violation]).toEqual([undefined, undefined]);
    expect(late.answer.body.equals(stalled.answer.body)).toBe(false);
    expect(await proxy.read()).toMatchObject({ violation: undefined });
  });

  test('that skips the validation for a late joiner of a stalled READ is found', async () => {
    await start(kind, strict, { skipsValidation: true });
    const [stalled, late] = await readBesideStalledOne();
    expect(stalled.violation).toBeUndefined();
    expect(late.violation?.kind).toBe('stale');
  });

  test('that validates asks once more for a hit that came after the VALIDATE had left', async () => {
    await start(kind, strict);
    const [stalled, late] = await readBesideStalledValidation();
    expect(stalled).toMatchObject({ source: 'cache', violation: undefined });
    expect(late).toMatchObject({ source: 'rdma', violation: undefined });
  });

  test('that takes the answer of an earlier look for it is found', async () => {
    await start(kind, strict, { answersFromEarlierLook: true });
    const [stalled, late] = await readBesideStalledValidation();
    expect(stalled).toMatchObject({ source: 'cache', violation: undefined });
    expect(late).toMatchObject({ source: 'cache', violation: { kind: 'stale' } });
  });

  describe.each(['delete', 'write'] as const)('that knows of the %s through it', (change) => {
    test('does not keep what was fetched beside it', async () => {
      await start(kind, immutable);
      proxy.writeDirectly();
      expect((await changeBesideFetch(change)).violation).toBeUndefined();
    });

    test('is found where it does not care', async () => {
      await start(kind, immutable, {}, heedlessCache);
      proxy.writeDirectly();
      const { source, violation } = await changeBesideFetch(change);
      expect([source, violation?.kind]).toEqual(['cache', 'stale']);
    });

    test('does not keep what was fetched while it was on its way', async () => {
      await start(kind, immutable);
      proxy.writeDirectly();
      expect((await fetchBesideChange(change)).violation).toBeUndefined();
    });

    test('is found where it forgets that when the answer comes', async () => {
      await start(kind, immutable, {}, hastyCache);
      proxy.writeDirectly();
      const { source, violation } = await fetchBesideChange(change);
      expect([source, violation?.kind]).toEqual(['cache', 'stale']);
    });
  });
});

describe.skipIf(!loadBinding().hasUcx)('under a lease, a cache', () => {
  const kind = subjectKinds.find(({ name }) => name === 'ucx-shm') as SubjectKind;

  /** The lease runs from the first hit of any needle of the volume. */
  async function startLeased(newCache: NewCache): Promise<void> {
    await start(kind, lease, { losesPushes: true }, newCache);
    proxy.writeDirectly();
    proxy.writeDirectly(proxy.other);
    await readUntilCached(proxy.other);
    const { validations } = proxy.cache.stats();
    await readUntilCached(proxy.other);
    expect(proxy.cache.stats().validations).toBe(validations);
  }

  test.each(['delete', 'write'] as const)(
    'does not keep what was fetched beside a %s through it',
    async (change) => {
      await startLeased(soundCache);
      expect((await changeBesideFetch(change)).violation).toBeUndefined();
    },
  );

  test.each(['delete', 'write'] as const)(
    'that does not care for a %s through it is found',
    async (change) => {
      await startLeased(heedlessCache);
      const { source, violation } = await changeBesideFetch(change);
      expect([source, violation?.kind]).toEqual(['cache', 'stale']);
    },
  );
});
