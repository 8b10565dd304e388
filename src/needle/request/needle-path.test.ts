import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  extensionOf,
  handlerPath,
  parseNeedlePath,
  parsePlainTarget,
  parseWrittenNeedles,
  percentDecode,
  splitTarget,
  volumeIdOf,
} from './needle-path.ts';

const place = { volumeId: 3, needleId: 0x0163n, cookie: 0x7037d6ff, filename: '', ext: '' };

describe('parseNeedlePath', () => {
  it.each([
    ['/3,01637037d6ff', { claimedFid: '3,01637037d6ff' }],
    ['/3,01637037D6FF', { claimedFid: '3,01637037D6FF' }],
    ['/3/01637037d6ff', { claimedFid: '3,01637037d6ff' }],
    ['/3,01637037d6ff.jpg', { ext: '.jpg' }],
    ['/3,01637037d6ff.', { ext: '.' }],
    ['/3/01637037d6ff.jpg', { ext: '.jpg' }],
    ['/3/01637037d6ff/a.tar.gz', { filename: 'a.tar.gz', ext: '.gz' }],
    ['/3/01637037d6ff/', { filename: '' }],
    ['/3,01617037d6ff_2', { needleId: 0x0163n, claimedFid: '3,01617037d6ff' }],
    ['/3,01637037d6ff_', { claimedFid: '3,01637037d6ff' }],
    ['/0003,01637037d6ff', { claimedFid: '0003,01637037d6ff' }],
    ['/4294967299,01637037d6ff', { volumeId: 3 }],
    ['/3,01617037d6ff_2.5', { needleId: 0x0163n, ext: '.5' }],
  ])('reads %s', (path, expected) => {
    expect(parseNeedlePath(path)).toMatchObject({ ...place, ...expected });
  });

  it.each([
    '/',
    '/3',
    '/3,',
    '/,01637037d6ff',
    '/+3,01637037d6ff',
    '/3 ,01637037d6ff',
    '/0x3,01637037d6ff',
    '/18446744073709551616,01637037d6ff',
    '/3,7037d6ff',
    '/3,x01637037d6f',
    '/3,0x01637037d6',
    '/3,0000000000000000001637037d6ff',
    '/3,01637037d6ff_x',
    '/3,01637037d6ff_+2',
    '/3,01637037d6ff_1_',
    '/3,ffffffffffffffff7037d6ff_1',
    '/3,01637037d6ff.tar.gz',
    '/3/01637037d6ff.jpg/name',
    '/3,01637037d6ff/',
    '/1.5,01637037d6ff',
    '/a/b/c/3,01637037d6ff',
    '/favicon.ico',
    '/status',
  ])('leaves %s to the volume server', (path) => {
    expect(parseNeedlePath(path)).toBeUndefined();
  });

  it('slices a path of many slashes as the volume server does', () => {
    // Comma and dot count from the last slash, but cut the whole path: recorded case url:relindex_read.
    const path = '/ppppppppppppp/q/r/1x2ec2b5abcf67f076y,zzzzzzzzzzzzzzzz.txt';
    expect(parseNeedlePath(path)).toMatchObject({ volumeId: 1, claimedFid: '1,2ec2b5abcf67f076' });
    expect(parseNeedlePath('/////,01637037d6ff')).toBeUndefined();
  });

  it('gives back the ids that a path was made of', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 0xffff_ffff }),
        fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
        fc.nat({ max: 0xffff_ffff }),
        (volumeId, needleId, cookie) => {
          const fid = `${needleId.toString(16)}${cookie.toString(16).padStart(8, '0')}`;
          expect(parseNeedlePath(`/${volumeId},${fid}`)).toMatchObject({
            volumeId,
            needleId,
            cookie,
            claimedFid: `${volumeId},${fid}`,
          });
        },
      ),
    );
  });
});

describe('extensionOf', () => {
  it.each([
    ['a.txt', '.txt'],
    ['.profile', '.profile'],
    ['a.', '.'],
    ['a.b/c', ''],
    ['a/b.c', '.c'],
    ['noext', ''],
    ['', ''],
  ])('of %j is %j', (name, ext) => {
    expect(extensionOf(name)).toBe(ext);
  });
});

describe('the needles that a write may change', () => {
  it.each([
    ['/3,0100000009', [1n]],
    ['/3,0100000009_2.jpg', [3n]],
    ['/3/0100000009/name.txt', [1n]],
    ['/3/x,0700000009', [7n]],
    ['/3/0100000009/x,0700000009', [1n, 7n]],
    ['/3/0100000009/x,0700000009.jpg', [1n, 7n]],
    ['/3,', []],
    ['/status', []],
  ])('%s', (path, needleIds) => {
    const expected = needleIds.map((needleId) => ({ volumeId: 3, needleId }));
    expect(parseWrittenNeedles(path)).toEqual(expected);
  });
});

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

describe('splitTarget', () => {
  it.each([
    ['/a', '/a', ''],
    ['/a?', '/a', ''],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?b#c', '/a', 'b#c'],
  ])('cuts %s at its first question mark', (target, rawPath, rawQuery) => {
    expect(splitTarget(target)).toEqual({ rawPath, rawQuery });
  });
});

describe('handlerPath', () => {
  it.each([
    ['/3,01637037d6', '/3,01637037d6'],
    ['/3%2C01637037d6', '/3,01637037d6'],
    ['/3%2F01637037d6%2Fn.txt', '/3/01637037d6/n.txt'],
    ['/3/0163/', '/3/0163/'],
    ['/3/0163/%ff', '/3/0163/\xff'],
    ['/3/0163/a+b', '/3/0163/a+b'],
    ['/3/0163/..a', '/3/0163/..a'],
    ['/3/0163/%2e%2e', '/3/0163/..'],
    ['/3/0163/"x"', '/3/0163/"x"'],
  ])('decodes %s', (raw, path) => {
    expect(handlerPath(raw)).toBe(path);
  });

  it.each([
    ['a bad escape', '/3,0163%zz'],
    ['an escape cut short', '/3,0163%4'],
    ['a double slash', '//3,0163'],
    ['a dot segment', '/./3,0163'],
    ['a dot-dot segment', '/a/../3,0163'],
    ['a dot segment at the end', '/3/0163/.'],
    ['a dot-dot segment at the end', '/3/0163/..'],
    ['an absolute form', 'http://h/3,0163'],
    ['nothing', ''],
    ['a control byte', '/3,0163\x01'],
    ['a blank', '/3,01 63'],
    ['encoded dots beside a byte that makes Go escape anew', '/3/0163/"/%2e%2e'],
    ['encoded slashes beside such a byte', '/3%2F%2F0163"'],
  ])('refuses %s', (_, raw) => {
    expect(handlerPath(raw)).toBeUndefined();
  });
});

describe('percentDecode', () => {
  it('gives back every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        const escaped = [...bytes].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('');
        expect(percentDecode(escaped)).toBe(text);
      }),
    );
  });
});

it.each([
  ['/3,01637037d6', 3],
  ['/3/01637037d6/name.jpg', 3],
  ['/4294967295,01', 4_294_967_295],
  ['/4294967296,01', -1],
  ['/12345678901,01', -1],
  ['/,01', -1],
  ['/status', -1],
  ['/3', -1],
  ['/3x,01', -1],
  ['', -1],
])('the volume of %s is %i', (target, volumeId) => {
  expect(volumeIdOf(target)).toBe(volumeId);
});
