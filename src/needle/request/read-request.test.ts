import { describe, expect, it } from 'vitest';
import { needlePathOf } from './needle-path.ts';
import { parseRead, rangesMax } from './read-request.ts';

function parse(
  target: string,
  rawHeaders: readonly string[] = [],
  method = 'GET',
): ReturnType<typeof parseRead> {
  return parseRead({ method, target, rawHeaders: ['Host', 'volume.test', ...rawHeaders] });
}

describe('parseRead', () => {
  it('reads a plain GET', () => {
    expect(parse('/3,01637037d6')).toEqual({
      kind: 'read',
      read: {
        method: 'GET',
        volumeId: 3,
        needleId: 1n,
        cookie: 0x637037d6,
        claimedFid: '3,01637037d6',
        urlFilename: '',
        urlExt: '',
        acceptsGzip: false,
        range: undefined,
        ifModifiedSince: undefined,
        ifNoneMatch: undefined,
        hasOrigin: false,
        asAttachment: false,
        wantsImageOperation: false,
        manifestAsIs: false,
        overrides: [],
        token: undefined,
        close: false,
        isPlain: true,
        http10: false,
      },
    });
  });

  it('reads everything that a request can ask for', () => {
    const parsed = parse(
      '/3/01637037d6/%C3%A9.txt?dl=1&cm=false&width=5&response-expires=x&jwt=t',
      [
        'Accept-Encoding',
        'br, x-gzip',
        'Range',
        'bytes=0-1',
        'If-Modified-Since',
        'then',
        'If-None-Match',
        '"x"',
        'Origin',
        'null',
        'Connection',
        'close',
      ],
    );
    expect(parsed).toMatchObject({
      kind: 'read',
      read: {
        urlFilename: '\xc3\xa9.txt',
        urlExt: '.txt',
        acceptsGzip: true,
        range: 'bytes=0-1',
        ifModifiedSince: 'then',
        ifNoneMatch: '"x"',
        hasOrigin: true,
        asAttachment: true,
        wantsImageOperation: true,
        manifestAsIs: true,
        overrides: [['Expires', 'x']],
        token: 't',
        close: true,
      },
    });
  });

  it('ignores the range of a HEAD, an empty one, and gzip in capitals', () => {
    const asHead = parse('/3,01637037d6', ['Range', 'bytes=0-1'], 'HEAD');
    expect(asHead).toMatchObject({ read: { method: 'HEAD', range: undefined } });
    const empty = parse('/3,01637037d6', ['Range', '', 'Accept-Encoding', 'GZIP']);
    expect(empty).toMatchObject({ read: { range: undefined, acceptsGzip: false } });
  });

  it('leaves more ranges than a client needs to the volume server, empty ones counted', () => {
    const ranges = (count: number): string => `bytes=${Array(count).fill('0-1').join(',')}`;
    const tooMany = { kind: 'passthrough', reason: 'headers' };
    expect(parse('/3,01637037d6', ['Range', ranges(rangesMax)]).kind).toBe('read');
    for (const range of [ranges(rangesMax + 1), `bytes=0-1${','.repeat(rangesMax)}`]) {
      expect(parse('/3,01637037d6', ['Range', range])).toEqual(tooMany);
      expect(parse('/3,01637037d6', ['Range', range], 'HEAD').kind).toBe('read');
    }
  });

  it('serves keys that the volume server does not know', () => {
    expect(parse('/3,01637037d6?ts=1&collection=c&proxied=true&readDeleted=TRUE&x').kind).toBe(
      'read',
    );
  });

  it.each([
    ['/3,01637037d6?readDeleted=true', '/3,01637037d6'],
    ['/3,01637037d6?readDeleted=true&x=1', '/3,01637037d6?x=1'],
    ['/3,01637037d6?proxied=true&readDeleted=true', '/3,01637037d6?proxied=true'],
  ])('reads %s as %s, the same read without readDeleted', (target, without) => {
    expect(parse(target)).toEqual(parse(without));
  });

  it.each([
    ['/3,01637037d6', 'get', 'method'],
    ['/3,01637037d6', 'POST', 'method'],
    ['/status', 'GET', 'path'],
    ['//3,01637037d6', 'GET', 'path'],
    ['http://h/3,01637037d6', 'GET', 'path'],
    ['/3,01637037d6?response-expires=1&RESPONSE-EXPIRES=2', 'GET', 'query'],
  ])('passes %s by %s for its %s', (target, method, reason) => {
    expect(parse(target, [], method)).toEqual({ kind: 'passthrough', reason });
  });
});

describe('needlePathOf', () => {
  it.each([
    ['/3,01637037d6?x', 3],
    ['/3/01637037d6/n', 3],
    ['/status', undefined],
    ['*', undefined],
    ['', undefined],
  ])('of %j is %j', (target, volumeId) => {
    expect(needlePathOf(target)?.volumeId).toBe(volumeId);
  });
});
