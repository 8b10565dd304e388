/**
 * A volume server that misbehaves: what is on a client's connection is one well-framed answer to its request, 502, or
 * nothing and the end; and whatever such a server says too much is nobody's answer.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { unfinishedBytesMax } from '../../src/http1/answer-head.ts';
import { fixture, front, stage, upstream } from './front-stage.ts';
import { eventually, ok, type Received } from './http-front-fixture.ts';

const request = (method: string, target: string, lines = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
const badGateway = /^HTTP\/1\.1 502 Bad Gateway\r\n/;
const answer = (lines: string, body = 'hello'): string =>
  `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n${body}`;

const noAnswers: readonly (readonly [name: string, bytes: string])[] = [
  ['two lengths', answer('Content-Length: 5\r\nContent-Length: 12')],
  ['a list of lengths', answer('Content-Length: 5, 12')],
  ['a negative length', answer('Content-Length: -5')],
  ['no number for a length', answer('Content-Length: five')],
  ['a length behind a plus', answer('Content-Length: +5')],
  ['an empty length', answer('Content-Length:')],
  [
    'a length and chunks',
    answer('Content-Length: 5\r\nTransfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'),
  ],
  ['two codings', answer('Transfer-Encoding: foo\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
  ['an unknown coding', answer('Transfer-Encoding: xchunked', '0\r\n\r\n')],
  ['a bare carriage return in a value', answer('X: a\rY: b\r\nContent-Length: 5')],
  ['a bare carriage return in a name', answer('X\r: a\r\nContent-Length: 5')],
  ['a bare line feed', answer('X: a\nContent-Length: 5')],
  ['a folded line', answer('X: a\r\n b\r\nContent-Length: 5')],
  ['a blank before a colon', answer('Content-Length : 5')],
  ['no name', answer(': a\r\nContent-Length: 5')],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
  ['HTTP/2', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff'],
  ['TLS', '\x15\x03\x01\0\x02\x02\x16'],
  ['another version', answer('Content-Length: 5').replace('1.1', '2.0')],
  ['chunks in a 204', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['no status', answer('Content-Length: 5').replace('200', 'OK')],
  ['noise', 'noise\r\n\r\n'],
];

async function answering(lane: boolean, answers: (request: Received) => void): Promise<void> {
  stage.answer = answers;
  await front({ lane });
}

describe.each([true, false])('with lane %s', (lane) => {
  describe.each([
    ['GET', '', 2],
    ['HEAD', '', 2],
    ['GET', 'TE: trailers\r\n', 2],
    ['DELETE', '', 1],
  ] as const)('a %s with %j', (method, lines, sentMax) => {
    it.each(noAnswers)(
      'that is answered with %s gets 502, and the connection stays',
      async (_name, bytes) => {
        await answering(lane, ({ socket, head }) => {
          if (head.includes(' /next ')) socket.write(ok);
          else socket.write(bytes, 'latin1');
        });
        const client = fixture.connect();
        client.send(request(method, '/2,02', lines));
        await client.until((text) => text.endsWith('\n'));
        await eventually(() => fixture.records.length === 1);
        expect(client.received).toMatch(badGateway);
        expect(upstream.received.length).toBeLessThanOrEqual(sentMax);
        const sent = upstream.received.map(({ socket }) => socket);
        await eventually(() => sent.every((socket) => socket.destroyed || socket.readableEnded));
        const from = client.received.length;
        client.send(request('GET', '/next'));
        await client.until((text) => text.slice(from) === ok);
        expect(fixture.records[0]).toMatchObject({ outcome: 'error' });
        expect(fixture.front.stats.rawPipes).toBe(0);
      },
    );
  });

  it.each([
    ['GET', 'by closing', 1, ({ socket }: Received) => void socket.end()],
    ['GET', 'by a reset', 1, ({ socket }: Received) => void socket.resetAndDestroy()],
    ['DELETE', 'by closing', 1, ({ socket }: Received) => void socket.end()],
    ['DELETE', 'by a reset', 1, ({ socket }: Received) => void socket.resetAndDestroy()],
    ['GET', 'in mid-head', 1, ({ socket }: Received) => void socket.end('HTTP/1.1 200 OK\r\nX')],
  ])('a %s that is ended %s before it is answered gets 502', async (method, _name, sent, ends) => {
    await answering(lane, ends);
    const client = fixture.connect();
    client.send(request(method, '/2,02'));
    await client.until((text) => text.endsWith('closed the connection\n'));
    expect(client.received).toMatch(badGateway);
    expect(upstream.received).toHaveLength(sent);
  });

  it.each([
    ['GET', 2],
    ['DELETE', 1],
  ])('a %s is sent %d times where used connections and new ones die', async (method, sent) => {
    await answering(lane, ({ socket, head }) => {
      if (head.includes(' /first ')) socket.write(ok);
      else socket.resetAndDestroy();
    });
    const client = fixture.connect();
    client.send(request('GET', '/first'));
    await client.until((text) => text === ok);
    client.send(request(method, '/2,02'));
    await client.until((text) => text.endsWith('closed the connection\n'));
    expect(upstream.received.filter(({ head }) => head.includes('/2,02'))).toHaveLength(sent);
  });

  it('an upload whose server goes in the middle gets 502, and the connection ends', async () => {
    await answering(lane, () => undefined);
    const client = fixture.connect();
    client.send(`${request('PUT', '/2,02', 'Content-Length: 1000\r\n')}part`);
    await eventually(() => upstream.sockets.size === 1);
    await pause(20);
    for (const socket of upstream.sockets) socket.destroy();
    expect(await client.untilClosed()).toMatch(badGateway);
  });

  it.each([
    ['at once', 0],
    ['a little later', 2],
    ['much later', 60],
  ])('an answer that nobody asked for, %s, is nobody’s', async (_name, laterMs) => {
    const stray = answer('Content-Length: 5', 'stray');
    await answering(lane, ({ socket, head }) => {
      socket.write(ok);
      if (!head.includes(' /first ')) return;
      if (laterMs === 0) socket.write(stray);
      else setTimeout(() => socket.write(stray), laterMs);
    });
    const [client, other] = [fixture.connect(), fixture.connect()];
    client.send(request('GET', '/first'));
    await client.until((text) => text === ok);
    await pause(laterMs * 2);
    for (const [each, before] of [
      [client, ok],
      [other, ''],
    ] as const) {
      each.send(request('GET', '/next'));
      await each.until((text) => text === before + ok);
    }
    expect(upstream.accepted()).toBe(2);
  });

  it.each([
    ['TE: trailers\r\n', ''],
    ['Transfer-Encoding: chunked\r\n', '1\r\na\r\n0\r\n\r\n'],
  ])(
    'a request with %j that waited for the connection gets no stray answer',
    async (lines, body) => {
      // The first read of the connection has the answer alone, the second one what came behind it.
      const head = 'HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n';
      const exact = head + 'x'.repeat(65_494);
      expect(exact).toHaveLength(65_536);
      stage.answer = ({ socket, head: asked }) => {
        if (asked.includes(' /first ')) {
          setTimeout(
            () => socket.write(exact + answer('Content-Length: 5', 'stray'), 'latin1'),
            100,
          );
        } else {
          socket.write(ok);
        }
      };
      await front({ lane, limits: { requestsInFlight: 1 } });
      const [client, victim] = [fixture.connect(), fixture.connect()];
      client.send(request('POST', '/first', lines) + body);
      await eventually(() => upstream.received.length === 1);
      victim.send(request('POST', '/victim', lines) + body);
      await victim.until((text) => text.includes('\r\n\r\n'));
      expect(victim.received).toBe(ok);
      expect(client.received).toBe(exact);
    },
  );

  describe.each([
    ['a length', ok],
    ['chunks', answer('Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n')],
  ])('behind an answer with %s', (_name, whole) => {
    it.each(
      [
        request('GET', '/first'),
        request('GET', '/first', 'TE: trailers\r\n'),
        `${request('POST', '/first', 'Transfer-Encoding: chunked\r\n')}1\r\na\r\n0\r\n\r\n`,
      ].flatMap((asked) => ['\r\n', '\n', 'H', 'HTTP/1.1 200 OK\r\nX'].map((s) => [asked, s])),
    )('to %j, %j is nobody’s, and ends the connection', async (asked, stray) => {
      await answering(lane, ({ socket, head }) => {
        socket.write(head.includes(' /first ') ? whole + stray : ok);
      });
      const client = fixture.connect();
      client.send(asked as string);
      await client.until((text) => text === whole);
      client.send(request('GET', '/next', 'TE: trailers\r\n'));
      await client.until((text) => text === whole + ok);
      const [first, next] = upstream.received.map(({ socket }) => socket);
      expect(next).not.toBe(first);
    });
  });

  it.each([
    ['GET', ''],
    ['GET', 'TE: trailers\r\n'],
  ])('chunks behind a tab are chunks to a %s with %j', async (method, lines) => {
    const chunks = answer('Transfer-Encoding:\tchunked\t', '5\r\nhello\r\n0\r\n\r\n');
    await answering(lane, ({ socket }) => void socket.write(chunks));
    const client = fixture.connect();
    client.send(request(method, '/2,02', lines));
    expect(await client.until((text) => text === chunks)).toBe(chunks);
  });

  it.each([
    ['GET', '1.1', ''],
    ['GET', '1.1', 'TE: trailers\r\n'],
    ['GET', '1.0', ''],
    ['HEAD', '1.1', ''],
  ])('equal lengths are one to a %s of HTTP/%s with %j', async (method, version, lines) => {
    const body = method === 'HEAD' ? '' : 'hello';
    const twice = answer('Content-Length: 5\r\nX: y\r\nContent-Length: 5', body);
    await answering(lane, ({ socket }) => void socket.write(twice));
    const client = fixture.connect();
    client.send(request(method, '/2,02', lines).replace('1.1', version));
    const once = answer('Content-Length: 5\r\nX: y', body);
    expect(await client.until((text) => text.length >= once.length)).toBe(once);
  });

  it('an answer of HTTP/1.0 is passed, and ends the connection', async () => {
    const old = 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok';
    await answering(lane, ({ socket }) => void socket.end(old));
    const client = fixture.connect();
    client.send(request('GET', '/2,02'));
    expect(await client.untilClosed()).toBe(old);
  });
});

it('a server that sends interim answers without end gets nobody to wait for it', async () => {
  const interim = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(10_000);
  await answering(true, ({ socket }) => {
    const more = (): void => void (socket.destroyed || socket.write(interim, more));
    more();
  });
  const client = fixture.connect();
  client.send(request('GET', '/2,02'));
  await client.until((text) => text.endsWith('\n'));
  expect(client.received).toMatch(badGateway);
});

it.each(['', 'TE: trailers\r\n'])(
  'heads that were let go do not count as unfinished ones, with %j',
  async (lines) => {
    const begun = `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ${'x'.repeat(120_000)}`;
    const count = Math.ceil((1.2 * unfinishedBytesMax) / begun.length);
    let sent = 0;
    await answering(true, ({ socket, head }) => {
      socket.write(begun, () => {
        sent += 1;
        if (head.includes(' /whole ')) setTimeout(() => socket.write('\r\n\r\nok'), 50);
      });
    });
    for (let i = 0; i < count; i += 1) {
      const client = fixture.connect();
      client.send(request('GET', '/2,02', lines));
      await eventually(() => sent > i);
      client.socket.destroy();
    }
    const client = fixture.connect();
    client.send(request('GET', '/whole', lines));
    await client.until((text) => text.endsWith('\r\n\r\nok'));
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK/);
  },
);
