import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AnswerHeadReader,
  answerHeadBytesMax,
  answerHeadLinesMax,
  connectionBytesMax,
  rawHeadersOf,
  readAnswerHead,
  unfinishedBytesMax,
  unfinishedShareBytes,
} from './answer-head.ts';

const read = (text: string, method = 'GET', http10 = false) =>
  readAnswerHead({ method, http10 }, Buffer.from(text, 'latin1'), 0);
const head = (lines: string): string => `HTTP/1.1 200 OK\r\n${lines}\r\n`;

describe('an answer’s head', () => {
  it('ends at its blank line', () => {
    const text = head('Content-Length: 4\r\nServer: x\r\n');
    expect(read(`${text}\r\n\r\nHTTP`)).toMatchObject({
      kind: 'head',
      status: 200,
      headBytes: text.length,
      framing: { kind: 'length', bytes: 4 },
      hasConnection: false,
    });
  });

  it('may have any byte in its values that ends no line', () => {
    const value = 'a\0\x01\x0b\x7f\x80\xff';
    const verdict = read(`HTTP/1.1 200 O\x01K\r\nX: ${value}\r\n\r\n`);
    if (verdict.kind !== 'head') throw new Error(verdict.kind);
    expect(rawHeadersOf(verdict)).toEqual(['X', value]);
  });

  it('may have bytes from 0x80 on, no reason phrase, no blank behind a colon, and empty values', () => {
    const verdict = read('HTTP/1.1 404 \r\nX:\xff\xa0 \r\nY:\t\r\nConnection: close\r\n\r\n');
    if (verdict.kind !== 'head') throw new Error(verdict.kind);
    expect(verdict).toMatchObject({ status: 404, framing: { kind: 'eof' }, hasConnection: true });
    expect(rawHeadersOf(verdict)).toEqual(['X', '\xff\xa0', 'Y', '', 'Connection', 'close']);
  });

  it.each([
    ['Transfer-Encoding: Chunked\r\n', { kind: 'chunked' }],
    ['CONTENT-LENGTH:7\r\nContent-Length: 7\r\n', { kind: 'length', bytes: 7 }],
    ['X-Length-Of-It: 7\r\n', { kind: 'eof' }],
  ] as const)('with %j is framed as %j', (lines, framing) => {
    expect(read(head(lines))).toMatchObject({ kind: 'head', framing });
  });

  it.each(['GET', 'HEAD'])('to %s has one length where equal ones came', (method) => {
    const came = head('A: b\r\ncontent-length:7\r\nX-Content-Length: 7\r\nContent-Length: 7 \r\n');
    const verdict = read(came, method);
    if (verdict.kind !== 'head') throw new Error(verdict.kind);
    expect(verdict).toMatchObject({ headBytes: came.length, isMended: true });
    expect(verdict.text).toBe(
      'HTTP/1.1 200 OK\r\nA: b\r\ncontent-length:7\r\nX-Content-Length: 7\r\n',
    );
    const once = read(head('Content-Length: 7\r\n'), method);
    expect(once).toMatchObject({
      isMended: false,
      text: 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n',
    });
  });

  it('of a HEAD and of a 304 has no body behind it', () => {
    expect(read(head('Content-Length: 7\r\n'), 'HEAD')).toMatchObject({
      framing: { kind: 'none' },
    });
    expect(read('HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n')).toMatchObject({
      framing: { kind: 'none' },
    });
  });

  it('of an interim answer is told apart, but not of another protocol', () => {
    expect(read('HTTP/1.1 100 Continue\r\n\r\n')).toEqual({
      kind: 'interim',
      status: 100,
      headBytes: 25,
    });
    expect(read('HTTP/1.1 101 Switching Protocols\r\n\r\n')).toEqual({ kind: 'broken' });
  });

  it.each([
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.0 206 Partial Content\r\nContent-Length: -5\r\n\r\n',
    'HTTP/1.1 200\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 020 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    ' HTTP/1.1 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    head('X\0: b\r\n'),
    head('X: a\nY: b\r\n'),
    head('X: a\rY: b\r\n'),
    head('X: a\r\n b\r\n'),
    head('X : a\r\n'),
    head(': a\r\n'),
    head('X\r\n'),
    head('X\xff: a\r\n'),
    head('Content-Length: -5\r\n'),
    head('Content-Length: 5\0\r\n'),
    head('Content-Length: five\r\n'),
    head('Content-Length: +5\r\n'),
    head('Content-Length: \r\n'),
    head('Content-Length: 0x5\r\n'),
    head('Content-Length: 5, 5\r\n'),
    head('Content-Length: \xa05\r\n'),
    head('Content-Length: 9999999999999999\r\n'),
    head('Content-Length: 1\r\nContent-Length: 2\r\n'),
    head('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
    head('Transfer-Encoding: chunked\r\nContent-Length: 1\r\n'),
    head('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'),
    head('Transfer-Encoding: gzip, chunked\r\n'),
    head('Transfer-Encoding: identity\r\n'),
  ])('%j is broken, also without a body', (text) => {
    expect(read(text)).toEqual({ kind: 'broken' });
    expect(read(text, 'HEAD')).toEqual({ kind: 'broken' });
  });

  it.each([
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 OK\r\nX: y\n\n',
    'HTTP/1.1 200 OK\r\nX: y\rZ',
    'SSH-2.0',
    'HTTP/2',
    '\0\0\x12\x04\0\0\0\0\0',
    '\n',
  ])('%j is broken before it ends', (text) => {
    expect(read(text)).toEqual({ kind: 'broken' });
  });

  it('to a request of HTTP/1.0 may be of that version, and is never in chunks', () => {
    const text = head('Content-Length: 7\r\nConnection: keep-alive\r\n');
    for (const of of [text, text.replace('1.1', '1.0')]) {
      expect(read(of, 'GET', true)).toMatchObject({
        kind: 'head',
        status: 200,
        framing: { kind: 'length', bytes: 7 },
        hasConnection: true,
      });
      for (let n = 1; n < of.length; n += 1) {
        expect(read(of.slice(0, n), 'GET', true)).toEqual({ kind: 'incomplete' });
      }
      const coded = of.replace('Content-Length: 7', 'Transfer-Encoding: chunked');
      expect(read(coded, 'GET', true)).toEqual({ kind: 'broken' });
    }
    for (const start of ['HTTP/1.2 ', 'HTTP/0.9 ', 'HTTP/1.0\t']) {
      expect(read(start, 'GET', true)).toEqual({ kind: 'broken' });
    }
  });

  it('of HTTP/1.0 is read for any request', () => {
    const text = 'HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n';
    const framing = { kind: 'length', bytes: 7 };
    expect(read(text)).toMatchObject({ kind: 'head', http10: true, framing });
    expect(read(text.replace('1.0', '1.1'))).toMatchObject({ http10: false, framing });
  });

  it('to HTTP/1.0 may have a negative length, as Go writes it: there is no body', () => {
    const text = 'HTTP/1.0 206 Partial Content\r\nContent-Length: -5\r\n\r\n';
    expect(read(text, 'GET', true)).toMatchObject({ kind: 'head', framing: { kind: 'none' } });
    const kept = text.replace('\r\n\r\n', '\r\nConnection: keep-alive\r\n\r\n');
    expect(read(kept, 'GET', true)).toEqual({ kind: 'broken' });
  });

  it('that has no end is broken', () => {
    const text = head(`X: ${'y'.repeat(answerHeadBytesMax({}))}`);
    expect(read(text.slice(0, -4))).toEqual({ kind: 'broken' });
    expect(read(`${text}\r\n`)).toEqual({ kind: 'broken' });
  });

  it('may be as long as the pairs of a needle and what it repeats of the target', () => {
    const target = `/3,01?response-content-type=${'y'.repeat(60_000)}`;
    const text = head(`A: ${'x'.repeat(65_535)}\r\nContent-Type: ${'y'.repeat(200_000)}\r\n`);
    const bytes = Buffer.from(text);
    expect(readAnswerHead({ method: 'GET', target }, bytes, 0)).toMatchObject({ kind: 'head' });
    expect(readAnswerHead({ method: 'GET', target: '/3,01' }, bytes, 0).kind).toBe('broken');
  });

  it.each([
    ['lines', 'a:\r\n', answerHeadLinesMax],
    ['bytes in Connection lines', 'connection:aa,b\r\n', connectionBytesMax / 4],
  ])('may have many %s, and not more', (_name, line, countMax) => {
    expect(read(head(line.repeat(countMax)))).toMatchObject({ kind: 'head' });
    expect(read(head(line.repeat(countMax + 1)))).toEqual({ kind: 'broken' });
  });

  it('is the same however it comes', () => {
    const text = `${head('X: y\r\nContent-Length: 3\r\n')}abc`;
    const whole = read(text);
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1 }), (sizes) => {
        let scanned = 0;
        for (let i = 0; scanned < text.length; i += 1) {
          const came = Math.min(text.length, scanned + (sizes[i % sizes.length] as number) + 1);
          const verdict = readAnswerHead(
            { method: 'GET' },
            Buffer.from(text.slice(0, came)),
            scanned,
          );
          if (verdict.kind !== 'incomplete') {
            expect(verdict).toEqual(whole);
            return;
          }
          scanned = came;
        }
        throw new Error('never complete');
      }),
    );
  });
});

describe('heads that are not complete', () => {
  const begun = (bytes: number): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\nX: `.padEnd(bytes, 'x'));
  const reader = (): AnswerHeadReader => new AnswerHeadReader({ method: 'GET' }, () => undefined);

  it('have a bound together, and beyond it each may have a little; complete ones may have all', () => {
    const bytes = 65_536;
    const readers: AnswerHeadReader[] = [];
    let last: string;
    do {
      const each = reader();
      last = each.read(begun(bytes)).kind;
      readers.push(each);
    } while (last === 'incomplete');
    expect(last).toBe('broken');
    expect(readers).toHaveLength(Math.floor(unfinishedBytesMax / bytes) + 1);
    const full = readers[0] as AnswerHeadReader;
    const small = reader();
    readers.push(small);
    for (const kind of ['incomplete', 'broken']) {
      expect(small.read(begun(unfinishedShareBytes)).kind).toBe(kind);
    }
    expect(reader().read(Buffer.concat([begun(bytes), Buffer.from('\r\n\r\n')])).kind).toBe('head');
    full.end();
    full.end();
    const next = reader();
    readers.push(next);
    expect(next.read(begun(bytes)).kind).toBe('incomplete');
    for (const each of readers) each.end();
  });

  it('are not counted any more when they are complete', () => {
    for (let bytes = 0; bytes < 2 * unfinishedBytesMax; bytes += 100_000) {
      const each = reader();
      expect(each.read(begun(100_000)).kind).toBe('incomplete');
      expect(each.read(Buffer.from('\r\n\r\n')).kind).toBe('head');
    }
  });
});
