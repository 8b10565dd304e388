import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extensionOf, parseNeedlePath, parseWrittenNeedles } from './fid.ts';

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
