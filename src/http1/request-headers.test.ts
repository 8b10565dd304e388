import { describe, expect, it } from 'vitest';
import { readHeaders } from './request-headers.ts';

const host = ['Host', 'volume.test'] as const;

function read(...rawHeaders: readonly string[]): ReturnType<typeof readHeaders> {
  return readHeaders([...host, ...rawHeaders]);
}

describe('readHeaders', () => {
  it('looks at the first line of each name, in any case', () => {
    expect(read('RANGE', 'bytes=0-1', 'Range', 'bytes=2-3')).toMatchObject({ range: 'bytes=0-1' });
    expect(read('Accept-Encoding', '', 'Accept-Encoding', 'gzip')).toMatchObject({
      acceptEncoding: '',
    });
  });

  it('keeps every cookie line', () => {
    expect(read('Cookie', 'a=1', 'cookie', 'b=2')).toMatchObject({ cookieLines: ['a=1', 'b=2'] });
  });

  it.each([
    [['close'], true],
    [['Close, x'], true],
    [['keep-alive, CLOSE'], true],
    [['x close'], true],
    [['keep-alive', 'close'], true],
    [['keep-alive', 'x close'], false],
    [['xclose'], false],
    [['close;x'], false],
    [['keep-alive'], false],
  ])('with the Connection lines %j asks to close: %s', (lines, close) => {
    expect(read(...lines.flatMap((line) => ['Connection', line]))).toMatchObject({ close });
  });

  it.each([
    ['Expect', 'the-unexpected', 'headers'],
    ['Expect', '', 'headers'],
    ['Upgrade', 'websocket', 'headers'],
    ['Upgrade', 'h2c, websocket', 'headers'],
    ['Host', 'again', 'headers'],
    ['Bad Name', 'x', 'headers'],
    ['X', 'a\x01', 'headers'],
    ['X', 'a\x7f', 'headers'],
    ['Content-Type', 'Multipart/form-data; boundary=x', 'headers'],
    ['Transfer-Encoding', 'chunked', 'body'],
    ['Content-Length', '5', 'body'],
    ['Content-Length', '', 'body'],
  ])('refuses %s: %j because of %s', (name, value, reason) => {
    expect(read(name, value)).toBe(reason);
  });

  it.each([
    ['Content-Length', '0'],
    ['Content-Type', 'text/plain'],
    ['Expect', '100-Continue'],
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABk'],
    ['Proxy-Connection', 'close'],
    ['X', 'a\tb\xe9'],
    ['X', ''],
  ])('takes %s: %j', (name, value) => {
    expect(read(name, value)).toMatchObject({ range: '' });
  });

  it.each(['a b', 'h\xe9', 'a/b', 'a"b'])('refuses the host %j', (value) => {
    const rawHeaders = ['Host', value];
    expect(readHeaders(rawHeaders)).toBe('headers');
  });

  it('refuses a request without Host, but for one of HTTP/1.0', () => {
    expect(readHeaders([])).toBe('headers');
    expect(readHeaders([], true)).toMatchObject({ close: true });
    expect(readHeaders(['Host', 'a', 'Host', 'a'], true)).toBe('headers');
  });

  it.each([
    [['keep-alive'], false],
    [['Keep-Alive'], false],
    [['close'], true],
  ])('of HTTP/1.0 with the Connection lines %j asks to close: %s', (lines, close) => {
    const rawHeaders = lines.flatMap((line) => ['Connection', line]);
    expect(readHeaders(rawHeaders, true)).toMatchObject({ close });
  });

  // Go keeps the connection after `keep-alive, close`, whichever comes first.
  it.each([
    [['keep-alive, close']],
    [['keep-alive', 'close']],
    [['keep-alive', 'keep-alive']],
    [['x']],
    [['']],
  ])('of HTTP/1.0 refuses the Connection lines %j', (lines) => {
    const rawHeaders = lines.flatMap((line) => ['Connection', line]);
    expect(readHeaders(rawHeaders, true)).toBe('headers');
  });
});
