import { describe, expect, it } from 'vitest';
import { RdmaMisuseError } from './errors.ts';
import { LeasePool } from './lease.ts';

const arena = new ArrayBuffer(4096);

function poolWithLog(): { readonly pool: LeasePool; readonly returned: number[] } {
  const returned: number[] = [];
  return { pool: new LeasePool((handle) => returned.push(handle), arena), returned };
}

describe('a lease', () => {
  it('goes home with its last share', () => {
    const { pool, returned } = poolWithLog();
    const first = pool.take(7, 100);
    const second = first.share();
    const third = second.share();
    first.release();
    third.release();
    expect(returned).toEqual([]);
    expect(second.bytes).toBe(100);
    second.release();
    expect(returned).toEqual([7]);
  });

  it('can be released twice without touching its successor', () => {
    const { pool, returned } = poolWithLog();
    const old = pool.take(7, 100);
    old.release();
    const next = pool.take(8, 50);
    old.release();
    expect(returned).toEqual([7]);
    expect(next.bytes).toBe(50);
    expect(old.bytes).toBe(0);
    next.release();
    expect(returned).toEqual([7, 8]);
  });

  it('cannot be shared after its release', () => {
    const { pool } = poolWithLog();
    const lease = pool.take(7, 100);
    lease.release();
    expect(() => lease.share()).toThrow(RdmaMisuseError);
  });

  it('is released by `using`', () => {
    const { pool, returned } = poolWithLog();
    {
      using lease = pool.take(7, 100);
      expect(lease.bytes).toBe(100);
    }
    expect(returned).toEqual([7]);
  });
});

describe('kept bytes', () => {
  it('outlive the lease and go home when keeper and loans have let go', () => {
    const { pool, returned } = poolWithLog();
    const view = Buffer.from(arena, 64, 100).fill(3);
    const lease = pool.take(7, 100);
    const kept = lease.keep(view);
    lease.release();
    const first = kept.lend();
    const second = first.lease.share();
    const other = kept.lend();
    expect(first.view).toEqual(view);
    expect(first.view.byteOffset).toBe(64);
    kept.release();
    kept.release();
    first.lease.release();
    first.lease.release();
    other.lease.release();
    expect(returned).toEqual([]);
    second.release();
    expect(returned).toEqual([7]);
  });

  it('are not lent after their release', () => {
    const { pool, returned } = poolWithLog();
    const kept = pool.take(7, 100).keep(Buffer.from(arena, 0, 100));
    kept.release();
    expect(returned).toEqual([7]);
    expect(() => kept.lend()).toThrow(RdmaMisuseError);
  });

  it('are made of a lease that no other holder shares', () => {
    const { pool } = poolWithLog();
    const lease = pool.take(7, 100);
    const share = lease.share();
    expect(() => lease.keep(Buffer.from(arena, 0, 100))).toThrow(RdmaMisuseError);
    share.release();
    lease.release();
    expect(() => lease.keep(Buffer.from(arena, 0, 100))).toThrow(RdmaMisuseError);
  });

  it('can be used after a loan token was recycled', () => {
    const { pool, returned } = poolWithLog();
    const kept = pool.take(7, 100).keep(Buffer.from(arena, 0, 100));
    kept.lend().lease.release();
    pool.take(8, 50).release();
    expect(returned).toEqual([8]);
    kept.lend().lease.release();
    kept.release();
    expect(returned).toEqual([8, 7]);
  });
});
