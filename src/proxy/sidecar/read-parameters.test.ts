import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseQuery } from '../../needle/request/query.ts';
import { parseReadBody, parseReadQuery } from './read-parameters.ts';

function read(query: string): ReturnType<typeof parseReadQuery> {
  return parseReadQuery(parseQuery(query) ?? new Map());
}

describe('a read by file id', () => {
  test('names needle, cookie, offset and size', () => {
    expect(read('file_id=3,01637037d6&offset=5&size=7&volume_server=http://a:1')).toEqual({
      volumeId: 3,
      needleId: 1n,
      cookie: 0x637037d6,
      fid: '3,01637037d6',
      claimedFid: '3,01637037d6',
      offset: 5,
      size: 7,
      volumeServer: 'http://a:1',
    });
  });

  test('keeps a delta and loses an extension', () => {
    expect(read('file_id=3,01637037d6_2.jpg')).toMatchObject({
      needleId: 3n,
      fid: '3,01637037d6_2',
      claimedFid: '3,01637037d6',
    });
  });

  test.each([
    ['file_id', 'file_id=3'],
    ['file_id', 'file_id=3,'],
    ['file_id', 'file_id=3,0163703'],
    ['file_id', 'file_id=a,01637037d6'],
    ['file_id', 'file_id=-3,01637037d6'],
    ['file_id', 'file_id=4294967296,01637037d6'],
    ['file_id', 'file_id=3/01637037d6'],
    ['file_id', 'file_id=3,01637037d6/../../status'],
    ['file_id', 'file_id=3,01637037d6%00'],
    ['file_id', 'file_id=3,01637037d6%3Fx%3D1'],
    ['file_id', 'file_id=3,ffffffffffffffff637037d6_1'],
    ['volume', 'offset=1'],
    ['needle', 'volume=3'],
    ['cookie', 'volume=3&needle=1'],
    ['volume', 'volume=4294967296&needle=1&cookie=1'],
    ['needle', 'volume=3&needle=18446744073709551616&cookie=1'],
    ['cookie', 'volume=3&needle=1&cookie=0x1ffffffff'],
    ['cookie', 'volume=3&needle=1&cookie=c0ffee'],
    ['offset', 'file_id=3,01637037d6&offset=-1'],
    ['offset', 'file_id=3,01637037d6&offset=1e3'],
    ['offset', 'file_id=3,01637037d6&offset=0x10'],
    ['size', 'file_id=3,01637037d6&size=18446744073709551616'],
    ['size', 'file_id=3,01637037d6&size=%20'],
  ])('names the parameter that is wrong: %s of %s', (name, query) => {
    expect(read(query)).toMatchObject({
      status: 400,
      message: expect.stringMatching(new RegExp(`^parameter "${name}": `)),
    });
  });

  test('takes 64 bits, and no needle is that long', () => {
    expect(read('file_id=3,01637037d6&size=18446744073709551615')).toMatchObject({ size: 2 ** 40 });
    expect(read('file_id=3,01637037d6&offset=18446744073709551615')).toMatchObject({ status: 416 });
  });
});

test('every needle by its numbers is the needle of its file id, in a query and in JSON', () => {
  const bits = (count: bigint) => fc.bigInt({ min: 0n, max: 2n ** count - 1n });
  fc.assert(
    fc.property(bits(32n), bits(64n), bits(32n), (volume, needle, cookie) => {
      const numbers = read(`volume=${volume}&needle=0x${needle.toString(16)}&cookie=${cookie}`);
      expect(numbers).toMatchObject({ volumeId: Number(volume), needleId: needle });
      expect('fid' in numbers && read(`file_id=${numbers.fid}`)).toEqual(numbers);
      const body = `{"volume_id":${volume},"needle_id":${needle},"cookie":${cookie}}`;
      const query = parseReadBody(body);
      expect('get' in query && parseReadQuery(query)).toEqual(numbers);
    }),
  );
});

test.each([
  ['body', 'nothing'],
  ['body', '[]'],
  ['body', 'null'],
  ['path', '{"path":"x"}'],
  ['__proto__', '{"__proto__":"x"}'],
  ['offset', '{"offset":{}}'],
  ['offset', '{"offset":true}'],
])('a body that is wrong in %s is refused: %s', (name, body) => {
  expect(parseReadBody(body)).toMatchObject({
    status: 400,
    message: expect.stringMatching(new RegExp(`^parameter "${name}": `)),
  });
});
