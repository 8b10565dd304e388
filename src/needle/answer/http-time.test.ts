import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHttpTime, parseHttpTime } from './http-time.ts';

describe('formatHttpTime', () => {
  it.each([
    [1, 'Thu, 01 Jan 1970 00:00:01 GMT'],
    [1_700_086_400, 'Wed, 15 Nov 2023 22:13:20 GMT'],
    [253_402_300_800, 'Sat, 01 Jan 10000 00:00:00 GMT'],
    [2 ** 40 - 1, 'Mon, 20 Feb 36812 00:36:15 GMT'],
  ])('of %d is %s', (seconds, text) => {
    expect(formatHttpTime(seconds)).toBe(text);
  });
});

describe('parseHttpTime', () => {
  it('reads what formatHttpTime writes, up to the year 9999', () => {
    fc.assert(
      fc.property(fc.nat({ max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpTime(formatHttpTime(seconds))).toBe(seconds);
      }),
    );
  });

  it.each([
    ['mon, 15 nOV 2023 22:13:20 GMT', 1_700_086_400],
    ['Wed,  15   Nov  2023   22:13:20   GMT', 1_700_086_400],
    ['Wed, 15 Nov 2023 22:13:20.999 GMT', 1_700_086_400],
    ['Wed, 15 Nov 2023 22:13:20,5 GMT', 1_700_086_400],
    ['Wed, 15 Nov 2023 2:13:20 GMT', 1_700_014_400],
    ['Sat, 01 Jan 0000 00:00:00 GMT', -62_167_219_200],
    ['Thu, 29 Feb 2024 00:00:00 GMT', 1_709_164_800],
  ])('reads %s', (text, seconds) => {
    expect(parseHttpTime(text)).toBe(seconds);
  });

  it.each([
    'Wed, 5 Nov 2023 22:13:20 GMT',
    'Wed, 32 Nov 2023 22:13:20 GMT',
    'Thu, 29 Feb 2023 00:00:00 GMT',
    'Wed, 31 Nov 2023 22:13:20 GMT',
    'Wed, 00 Nov 2023 22:13:20 GMT',
    'Wed,15 Nov 2023 22:13:20 GMT',
    'Wed, 15 Nov 2023 24:00:00 GMT',
    'Wed, 15 Nov 2023 22:60:20 GMT',
    'Wed, 15 Nov 2023 22:13:60 GMT',
    'Wed, 15 Nov 2023 22:13:2 GMT',
    'Wed, 15 Nov 2023 22:13:20. GMT',
    'Wed, 15 Nov 23 22:13:20 GMT',
    'Wed, 15 Nov 20230 22:13:20 GMT',
    'Wed, 15 Nov 2023 22:13:20 gmt',
    'Wed, 15 Nov 2023 22:13:20 UTC',
    'Wed, 15 Nov 2023 22:13:20 +0000',
    'Wed, 15 Nov 2023 22:13:20 GMT ',
    ' Wed, 15 Nov 2023 22:13:20 GMT',
    'Wed, 15\tNov 2023 22:13:20 GMT',
    'Xyz, 15 Nov 2023 22:13:20 GMT',
    'Wed, 15 Nox 2023 22:13:20 GMT',
    'Wednesday, 15-Nov-23 22:13:20 GMT',
    'Wed Nov 15 22:13:20 2023',
    '',
  ])('ignores %j, as Go does', (text) => {
    expect(parseHttpTime(text)).toBeUndefined();
  });
});
