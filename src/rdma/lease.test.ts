import { describe, expect, it } from 'vitest';
import { RdmaMisuseError } from './errors.ts';
import { LeasePool } from './lease.ts';

function poolWithLog(): { readonly pool: LeasePool; readonly returned: number[] } {
  const returned: number[] = [];
  return { pool: new LeasePool((handle) => returned.push(handle)), returned };
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
