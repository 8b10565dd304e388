import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalHeaderName, formatHead } from './answer-headers.ts';

describe('canonicalHeaderName', () => {
  it.each([
    ['etag', 'Etag'],
    ['ETag', 'Etag'],
    ['x-AMZ-request-ID', 'X-Amz-Request-Id'],
    ['-x--y-', '-X--Y-'],
    ['www-authenticate', 'Www-Authenticate'],
    ['1-a', '1-A'],
    ['bad name', 'bad name'],
    ['x:y', 'x:y'],
    ['', ''],
  ])('of %j is %j', (name, canonical) => {
    expect(canonicalHeaderName(name)).toBe(canonical);
  });
});

describe('formatHead', () => {
  it('sorts the handler’s headers and puts its own behind them', () => {
    const headers = new Map([
      ['Server', 's'],
      ['Etag', '"e"'],
      ['Accept-Ranges', 'bytes'],
    ]);
    const added = { date: 'now', contentLength: 5, contentType: 't/s', close: true };
    expect(formatHead({ status: '200 OK', headers, added })).toBe(
      'HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nEtag: "e"\r\nServer: s\r\nDate: now\r\n' +
        'Content-Length: 5\r\nContent-Type: t/s\r\nConnection: close\r\n\r\n',
    );
  });

  it.each([
    ['a\r\nX: b', 'a  X: b'],
    ['  a\tb\t\n', 'a\tb'],
    [' \r\n', ''],
    ['\x01\xff\x7f', '\x01\xff\x7f'],
    ['', ''],
  ])('writes the value %j as %j', (value, written) => {
    const headers = new Map([['A', value]]);
    const head = formatHead({ status: '200 OK', headers, added: { date: 'd', close: false } });
    expect(head).toBe(`HTTP/1.1 200 OK\r\nA: ${written}\r\nDate: d\r\n\r\n`);
  });

  it('lets no value begin a line of its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\r', '\n', ' ', ':') }), (value) => {
        const headers = new Map([['A', value]]);
        const head = formatHead({ status: '200 OK', headers, added: { date: 'd', close: false } });
        expect(head.split(/\r|\n/).filter((line) => line !== '')).toHaveLength(3);
      }),
    );
  });
});
