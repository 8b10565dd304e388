import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNeedlePath } from './fid.ts';
import { parsePlainTarget } from './plain-target.ts';

describe('a plain target', () => {
  it('gives volume, needle and cookie', () => {
    expect(parsePlainTarget('/3,01637037d6')).toEqual({
      volumeId: 3,
      needleId: 1n,
      cookie: 0x637037d6,
      claimedFid: '3,01637037d6',
      filename: '',
      ext: '',
    });
  });

  it.each(['/3,1637037d6', '/007,FFFFFFFFffffffff00000000', '/999999999,0123456789ABCDEFffffffff'])(
    '%s is read as the whole grammar reads it',
    (target) => {
      expect(parsePlainTarget(target)).toEqual(parseNeedlePath(target));
    },
  );

  it.each([
    '',
    '/',
    '/3',
    '/3,',
    '/,01637037d6',
    '/3,37037d6f',
    '/3,01637037d6_1',
    '/3,01637037d6.jpg',
    '/3,01637037d6?x',
    '/3/01637037d6',
    '/3,0163703:d6',
    '/3,0163703@d6',
    '/3,0163703gd6',
    '//3,01637037d6',
    '/9999999999,01637037d6',
    `/3,${'0'.repeat(25)}`,
    '/3,01637037d\u0136',
  ])('%j is left to the whole grammar', (target) => {
    expect(parsePlainTarget(target)).toBeUndefined();
  });

  it('never reads what the whole grammar reads differently', () => {
    const digits = fc.stringMatching(/^[0-9a-fA-F]{8,26}$/);
    const odd = fc.string({ unit: fc.constantFrom(...'/,._0aAfFgG:@`{%? '), maxLength: 4 });
    const target = fc
      .tuple(odd, fc.nat(), odd, digits, odd)
      .map(([a, vid, b, fid, c]) => `/${a}${vid}${b === '' ? ',' : b}${fid}${c}`);
    fc.assert(
      fc.property(target, (text) => {
        const plain = parsePlainTarget(text);
        if (plain !== undefined) expect(plain).toEqual(parseNeedlePath(text));
      }),
      { numRuns: 5_000 },
    );
  });
});
