import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FramerVerdict, InputBuffer, RequestFramer } from './request-framer.ts';

const headBytesMax = 4_096;

function frame(text: string): FramerVerdict {
  return new RequestFramer(headBytesMax).frame(Buffer.from(text, 'latin1'), 0);
}

describe('a plain head', () => {
  it('gives the method, the target and the headers as they came', () => {
    const head = 'GET /1,0a%2f?x=1&&y HTTP/1.1\r\nHOST: a\r\nx-A:  1 \t\r\nX-a:2\r\nEmpty:\r\n\r\n';
    expect(frame(`${head}GET /next`)).toMatchObject({
      kind: 'request',
      head: {
        method: 'GET',
        target: '/1,0a%2f?x=1&&y',
        rawHeaders: ['HOST', 'a', 'x-A', '1', 'X-a', '2', 'Empty', ''],
      },
      headBytes: head.length,
      body: { kind: 'none' },
      close: false,
    });
  });

  it.each([
    ['close', true],
    ['Keep-Alive', false],
    ['x, CLOSE', true],
    ['closed', false],
  ])('Connection: %s asks for close: %s', (value, close) => {
    expect(frame(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${value}\r\n\r\n`)).toMatchObject({
      close,
    });
  });

  it.each([
    ['Content-Length: 0', { kind: 'length', bytes: 0 }],
    ['content-length: 17', { kind: 'length', bytes: 17 }],
    ['Transfer-Encoding: Chunked', { kind: 'chunked' }],
  ])('%s frames the body', (line, body) => {
    expect(frame(`PUT /x HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`)).toMatchObject({ body });
  });
});

describe('a head of HTTP/1.0', () => {
  it.each([
    ['', true],
    ['Host: a\r\n', true],
    ['Connection: close\r\nHost: a\r\n', true],
    ['Connection: Keep-Alive\r\n', false],
    ['Keep-Alive: 300\r\nHTTP2-Settings: AA\r\n', true],
  ])('with %j ends the connection: %s', (lines, close) => {
    expect(frame(`GET /1,01 HTTP/1.0\r\n${lines}\r\n`)).toMatchObject({
      kind: 'request',
      head: { method: 'GET', target: '/1,01', http10: true },
      close,
    });
  });

  it('may have a body of a length', () => {
    expect(frame('PUT /1,01 HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello')).toMatchObject({
      body: { kind: 'length', bytes: 5 },
      close: true,
    });
  });
});

describe('one odd header', () => {
  it.each([
    ['Expect: 100-Continue', { expectsContinue: true, offersUpgrade: false }],
    ['Upgrade: H2C', { expectsContinue: false, offersUpgrade: true }],
    [
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
      { expectsContinue: false, offersUpgrade: true },
    ],
    ['Connection: Upgrade', { expectsContinue: false, offersUpgrade: false }],
    ['Proxy-Connection: Keep-Alive', { expectsContinue: false, offersUpgrade: false }],
  ])('%s is told and makes nothing raw', (lines, block) => {
    expect(frame(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`)).toMatchObject({
      kind: 'request',
      close: false,
      block,
    });
  });
});

describe('what two parsers could read differently is raw', () => {
  const host = 'Host: a\r\n';
  it.each([
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`],
    ['HTTP/2.0', `GET / HTTP/2.0\r\n${host}\r\n`],
    ['no version', 'GET /\r\n\r\n'],
    // The volume server finds the close in both.
    ['a blank in a connection option', `GET / HTTP/1.1\r\n${host}Connection: x close\r\n\r\n`],
    ['a tab in a connection option', `GET / HTTP/1.1\r\n${host}Connection: close\tx\r\n\r\n`],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['one bare line feed', 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
    ['a bare carriage return', `GET / HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`],
    ['a leading empty line', `\r\nGET / HTTP/1.1\r\n${host}\r\n`],
    ['two blanks', `GET  / HTTP/1.1\r\n${host}\r\n`],
    ['a tab', `GET\t/ HTTP/1.1\r\n${host}\r\n`],
    ['a blank at the end', `GET / HTTP/1.1 \r\n${host}\r\n`],
    ['absolute form', `GET http://a/ HTTP/1.1\r\n${host}\r\n`],
    ['an empty absolute form', `GET http:// HTTP/1.1\r\n${host}\r\n`],
    ['asterisk form', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
    ['no leading slash', `GET 1,01 HTTP/1.1\r\n${host}\r\n`],
    ['CONNECT', `CONNECT a:1 HTTP/1.1\r\n${host}\r\n`],
    ['an unknown method', `FOO / HTTP/1.1\r\n${host}\r\n`],
    ['a lower-case method', `get / HTTP/1.1\r\n${host}\r\n`],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${host}\r\n`],
    ['8-bit bytes in the target', `GET /\xff HTTP/1.1\r\n${host}\r\n`],
    ['NUL in the target', `GET /\0 HTTP/1.1\r\n${host}\r\n`],
    ['8-bit bytes in a value', `GET / HTTP/1.1\r\n${host}X: \xff\r\n\r\n`],
    ['control bytes in a value', `GET / HTTP/1.1\r\n${host}X: \x01\r\n\r\n`],
    ['a folded header', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`],
    ['a folded first header', `GET / HTTP/1.1\r\n X: a\r\n${host}\r\n`],
    ['a blank before the colon', `GET / HTTP/1.1\r\n${host}X : a\r\n\r\n`],
    ['an empty name', `GET / HTTP/1.1\r\n${host}: a\r\n\r\n`],
    ['no colon', `GET / HTTP/1.1\r\n${host}broken\r\n\r\n`],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`],
    ['an odd Host', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['two lengths', `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
    ['a length list', `PUT / HTTP/1.1\r\n${host}Content-Length: 1, 1\r\n\r\n`],
    ['a signed length', `PUT / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\n`],
    ['an endless length', `PUT / HTTP/1.1\r\n${host}Content-Length: 9999999999999999\r\n\r\n`],
    [
      'length and chunked',
      `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'chunked and length',
      `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
    ],
    // Go refuses some names in it, which must not be lost on the way.
    ['Trailer', `PUT / HTTP/1.1\r\n${host}Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['a tab behind chunked', `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\t\r\n\r\n`],
    ['another coding', `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['chunked twice', `PUT / HTTP/1.1\r\n${host}${'Transfer-Encoding: chunked\r\n'.repeat(2)}\r\n`],
    ['an unknown Expect', `PUT / HTTP/1.1\r\n${host}Expect: x\r\n\r\n`],
    ['an empty Expect', `PUT / HTTP/1.1\r\n${host}Expect:\r\n\r\n`],
    ['a list in Expect', `PUT / HTTP/1.1\r\n${host}Expect: 100-continue, x\r\n\r\n`],
    ['Expect twice', `PUT / HTTP/1.1\r\n${host}${'Expect: 100-continue\r\n'.repeat(2)}\r\n`],
    ['another Upgrade', `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\n\r\n`],
    ['a list in Upgrade', `GET / HTTP/1.1\r\n${host}Upgrade: h2c, websocket\r\n\r\n`],
    ['Upgrade twice', `GET / HTTP/1.1\r\n${host}${'Upgrade: h2c\r\n'.repeat(2)}\r\n`],
    ['another Proxy-Connection', `GET / HTTP/1.1\r\n${host}Proxy-Connection: close\r\n\r\n`],
    ['HTTP/1.0 with Proxy-Connection', 'GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n'],
    ['HTTP/1.0 with two Hosts', `GET / HTTP/1.0\r\n${host}${host}\r\n`],
    ['HTTP/1.0 with an odd Host', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n'],
    ['HTTP/1.0 in chunks', 'PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['HTTP/1.0 with two lengths', `PUT / HTTP/1.0\r\n${'Content-Length: 1\r\n'.repeat(2)}\r\n`],
    ['HTTP/1.0 with Expect', 'PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n'],
    ['HTTP/1.0 with Upgrade', 'GET / HTTP/1.0\r\nUpgrade: h2c\r\n\r\n'],
    ['HTTP/1.0 with TE', 'GET / HTTP/1.0\r\nTE: trailers\r\n\r\n'],
    // The volume server keeps the connection here.
    ['HTTP/1.0 with both options', 'GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n'],
    ['HTTP/1.0 with two Connections', `GET / HTTP/1.0\r\n${'Connection: close\r\n'.repeat(2)}\r\n`],
  ])('%s', (_name, text) => {
    expect(frame(text).kind).toBe('raw');
  });

  it('a head over the limit, however much of it is there', () => {
    const start = `GET / HTTP/1.1\r\n${host}X: `;
    const fitting = 'b'.repeat(headBytesMax - start.length - 4);
    expect(frame(`${start}${fitting}\r\n\r\n`).kind).toBe('request');
    expect(frame(`${start}${fitting}b\r\n\r\n`).kind).toBe('raw');
    expect(frame(`${start}${fitting}bbbbb`).kind).toBe('raw');
  });

  it('tells the target, as far as there is one', () => {
    expect(frame('GET /3,01 HTTP/1.2\r\n\r\n')).toEqual({ kind: 'raw', target: '/3,01' });
    expect(frame('\r\n\r\n')).toEqual({ kind: 'raw', target: '/' });
    expect(frame('GET /3,01\n')).toEqual({ kind: 'raw', target: '/3,01' });
  });
});

describe('an unfinished head', () => {
  it('is awaited as long as its lines are plausible', () => {
    const text = 'GET /1,01 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n';
    for (let n = 1; n < text.length; n += 1)
      expect(frame(text.slice(0, n)).kind).toBe('incomplete');
  });

  it('is not awaited after a request line that Go answers at once', () => {
    expect(frame('GARBAGE\r\n').kind).toBe('raw');
    expect(frame('GET / HTTP/1.2\r\n').kind).toBe('raw');
  });
});

it('gives the same verdict however the bytes were cut', () => {
  const part = fc.constantFrom(
    'GET ',
    '/1,01',
    ' HTTP/1.1',
    '\r\n',
    '\n',
    '\r',
    'Host: a',
    'X:y',
    ' ',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
      const text = `GET /1,01 HTTP/1.1\r\nHost: a\r\n${parts.join('')}`;
      const whole = frame(text);
      const framer = new RequestFramer(headBytesMax);
      let scanned = 0;
      let stepwise: FramerVerdict = { kind: 'incomplete' };
      for (let n = 1; n <= text.length && stepwise.kind === 'incomplete'; n += 1) {
        stepwise = framer.frame(Buffer.from(text.slice(0, n), 'latin1'), scanned);
        scanned = n;
      }
      // A bare line feed is refused as soon as it is seen, also where a later blank line would be looked at first.
      if (whole.kind === 'request') expect(stepwise).toEqual(whole);
      else expect(stepwise.kind).toBe(whole.kind);
    }),
    { numRuns: 2_000 },
  );
});

describe('a connection that sends the same headers again', () => {
  const headers = 'Host: a\r\nConnection: close\r\n\r\n';

  it('is given the same block', () => {
    const framer = new RequestFramer(headBytesMax);
    const first = framer.frame(Buffer.from(`GET /1,01 HTTP/1.1\r\n${headers}`), 0);
    const second = framer.frame(Buffer.from(`GET /2,02?x HTTP/1.1\r\n${headers}`), 0);
    const third = framer.frame(Buffer.from(`HEAD /2,02 HTTP/1.1\r\n${headers}GET`), 0);
    expect(second).toMatchObject({ head: { method: 'GET', target: '/2,02?x' }, close: true });
    expect(third).toMatchObject({ head: { method: 'HEAD', target: '/2,02' }, close: true });
    for (const verdict of [second, third]) {
      expect(verdict.kind === 'request' && first.kind === 'request' && verdict.block).toBe(
        first.kind === 'request' && first.block,
      );
    }
  });

  it('reads each head as a connection without a past does', () => {
    const line = fc.constantFrom(
      'GET /1,01 HTTP/1.1\r\n',
      'GET /1,0\t1 HTTP/1.1\r\n',
      'GET /1,0\r1 HTTP/1.1\r\n',
      'GET /1,01#x HTTP/1.1\r\n',
      'GET /1,01\x7f HTTP/1.1\r\n',
      'GET /1,01\xe9 HTTP/1.1\r\n',
      'GET / HTTP/1.1\r\n',
      'GET  HTTP/1.1\r\n',
      'GET /1,01  HTTP/1.1\r\n',
      'GET /1,01 HTTP/1.0\r\n',
      'HEAD /1,01 HTTP/1.0\r\n',
      'GET /1,01 HTTP/1.1\r\nX: y\r\n',
      'GET /1,01\r\nX: /HTTP/1.1\r\n',
      'get /1,01 HTTP/1.1\r\n',
      'PUT /1,01 HTTP/1.1\r\n',
      '\r\nGET /1,01 HTTP/1.1\r\n',
    );
    const block = fc.constantFrom(
      'Host: a\r\n\r\n',
      'Host: a\r\nConnection: keep-alive\r\n\r\n',
      'Host: a\r\nContent-Length: 3\r\n\r\n',
      'Host: a\r\nTransfer-Encoding: chunked\r\n\r\n',
      'Host: a\r\n\r',
      ' Host: a\r\n\r\n',
      'Host: a\r\n\r\nGET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(line, block), { maxLength: 6 }), (heads) => {
        const framer = new RequestFramer(headBytesMax);
        for (const [first, rest] of heads) {
          const bytes = Buffer.from(first + rest, 'latin1');
          expect(framer.frame(bytes, 0)).toEqual(new RequestFramer(headBytesMax).frame(bytes, 0));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

it('an input buffer gives back what was appended, and never changes what it handed out', () => {
  const step = fc.oneof(
    fc.record({ append: fc.uint8Array({ minLength: 1, maxLength: 50 }) }),
    fc.record({ consume: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const input = new InputBuffer();
      let expected = Buffer.alloc(0);
      const handedOut: { readonly view: Buffer; readonly copy: Buffer }[] = [];
      for (const each of steps) {
        if ('append' in each) {
          input.append(Buffer.from(each.append));
          expected = Buffer.concat([expected, each.append]);
        } else {
          const count = Math.min(each.consume, expected.length);
          input.consume(count);
          expected = expected.subarray(count);
        }
        const view = input.view();
        expect(view.equals(expected)).toBe(true);
        expect(input.length).toBe(expected.length);
        handedOut.push({ view, copy: Buffer.from(view) });
      }
      for (const { view, copy } of handedOut) expect(view.equals(copy)).toBe(true);
    }),
  );
});

it('an input buffer takes no more memory than its bytes need, and lets go of a large chunk that a few bytes keep', () => {
  const input = new InputBuffer();
  const chunk = Buffer.alloc(65_536, 'a');
  input.append(chunk);
  for (let at = 0; at < 10; at += 1) {
    input.consume(input.length - 100);
    input.append(chunk);
    expect(input.view().buffer.byteLength).toBeLessThanOrEqual(65_536 + 100 + 4_096);
  }
  input.consume(input.length - 100);
  input.trim();
  expect(input.view().buffer.byteLength).toBeLessThan(8_192);
  expect(`${input.view()}`).toBe('a'.repeat(100));
});

it('a head that comes byte by byte costs linear time', () => {
  const input = new InputBuffer();
  const buffers = new Set<ArrayBufferLike>();
  for (let at = 0; at < 65_536; at += 1) {
    input.append(Buffer.from('a'));
    buffers.add(input.view().buffer);
  }
  expect(input.length).toBe(65_536);
  expect(buffers.size).toBeLessThan(32);
});
