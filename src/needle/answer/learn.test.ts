import { describe, expect, it } from 'vitest';
import type { Needle } from '../../rdma/needle-fetcher.ts';
import { isAnswerOf, learnedType } from './learn.ts';

const needle: Needle = {
  volumeId: 3,
  needleId: 1n,
  cookie: 1,
  epoch: 1n,
  position: 16n,
  volumeVersion: 3,
  flags: 0,
  indexBytes: 20,
  dataBytes: 5,
  checksum: 1,
  isStream: false,
  lastModifiedSeconds: 0,
  appendAtNs: 1n,
  ttlLeftMs: undefined,
  name: 'a.txt',
  mime: '',
  pairs: '',
};

const before = ['Accept-Ranges', 'bytes', 'Content-Length', '5'];
const after = ['Etag', '"00000001"', 'Server', 's', 'X-Amz-Request-Id', 'X'];
const byExtension = [...before, 'Content-Type', 'text/x', ...after, 'Date', 'now'];
const sniffed = [...before, ...after, 'Date', 'now', 'Content-Type', 'text/plain; charset=utf-8'];

describe('learnedType', () => {
  it('takes a type before Date for the extension’s', () => {
    expect(learnedType(200, byExtension, needle)).toBe('text/x');
    expect(learnedType(206, [...byExtension, 'Connection', 'close'], needle)).toBe('text/x');
  });

  it('takes a type behind Date, or none, for a host without one', () => {
    expect(learnedType(200, sniffed, needle)).toBe('');
    expect(learnedType(200, [...before, ...after, 'Date', 'now'], needle)).toBe('');
  });

  it('takes octet-stream for no mime', () => {
    const octets = { ...needle, mime: 'application/octet-stream' };
    expect(learnedType(200, byExtension, octets)).toBe('text/x');
  });

  it.each([
    ['another status', 304, byExtension, needle],
    ['an error', 404, byExtension, needle],
    ['a needle with a mime', 200, byExtension, { ...needle, mime: 'a/b' }],
    ['a needle with pairs', 200, byExtension, { ...needle, pairs: '{}' }],
    ['a manifest', 200, byExtension, { ...needle, flags: 0x80 }],
    [
      'a multipart answer',
      206,
      [...before, 'Content-Type', 'multipart/byteranges; boundary=b', ...after, 'Date', 'now'],
      needle,
    ],
    ['a head without Date', 200, byExtension.slice(0, -2), needle],
    ['a head in another order', 200, ['Server', 's', ...sniffed], needle],
    ['a head of another server', 200, ['Date', 'now', 'Content-Type', 'a/b'], needle],
    ['an odd header behind Date', 200, [...byExtension, 'Via', 'x'], needle],
  ])('cannot tell from %s', (_, status, rawHeaders, asked) => {
    expect(learnedType(status, rawHeaders, asked)).toBeUndefined();
  });
});

describe('isAnswerOf', () => {
  const stored = { ...needle, checksum: 1, lastModifiedSeconds: 1_700_000_000, dataBytes: 5 };
  const own = [
    ...['Content-Length', '5', 'Etag', '"00000001"'],
    ...['Last-Modified', 'Tue, 14 Nov 2023 22:13:20 GMT'],
  ];

  it('compares entity tag, time and length', () => {
    expect(isAnswerOf(stored, 200, own)).toBe(true);
    expect(isAnswerOf({ ...stored, checksum: 2 }, 200, own)).toBe(false);
    expect(isAnswerOf({ ...stored, lastModifiedSeconds: 1 }, 200, own)).toBe(false);
    expect(isAnswerOf({ ...stored, lastModifiedSeconds: 0 }, 200, own)).toBe(false);
    expect(isAnswerOf({ ...stored, dataBytes: 6 }, 200, own)).toBe(false);
    expect(isAnswerOf(stored, 200, own.slice(2))).toBe(false);
  });

  it('takes the length of a part from what it is a part of', () => {
    const part = [...own.slice(2), 'Content-Length', '2', 'Content-Range', 'bytes 0-1/5'];
    expect(isAnswerOf(stored, 206, part)).toBe(true);
    expect(isAnswerOf({ ...stored, dataBytes: 2 }, 206, part)).toBe(false);
  });

  it('cannot tell the length of what may be decoded', () => {
    expect(isAnswerOf({ ...stored, flags: 1, dataBytes: 99 }, 200, own)).toBe(true);
  });
});
