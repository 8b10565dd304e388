/**
 * Requests that ask something of the connection: what of them goes on to the volume server, what comes back, and when
 * the connection may be used again. Byte for byte, before a volume server whose answers are scripted.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { RequestHead } from '../../src/http1/request-head.ts';
import type { NeedleOutcome } from '../../src/needle/needle-outcome.ts';
import {
  eventually,
  type FrontFixture,
  needleAnswer,
  ok,
  passed,
  type Received,
  startFront,
  startUpstream,
  type UpstreamFixture,
} from './http-front-fixture.ts';

let upstream: UpstreamFixture;
let fixture: FrontFixture;

interface Stage {
  readonly answer: (request: Received) => void;
  readonly lane?: boolean;
  readonly debugHeaders?: boolean;
}

/** Needles beginning with /1 are answered here; all else is forwarded. */
async function stage({ answer, ...options }: Stage): Promise<void> {
  upstream = await startUpstream(answer);
  const { url } = upstream;
  const serve = (head: RequestHead): NeedleOutcome =>
    head.target.startsWith('/1,') ? needleAnswer(Buffer.from('[here]')) : passed(url);
  fixture = await startFront({ upstreamUrl: url, serve, ...options });
}

afterEach(async () => {
  await fixture.close();
  await upstream.close();
});

const write =
  (bytes: string) =>
  ({ socket }: Received): void =>
    void socket.write(bytes, 'latin1');

const readHere = 'GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n';
const expectingHead =
  'PUT /2,02 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
const refused = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno';
const rawCount = (): number => fixture.front.stats.rawPipes;

describe.each([true, false])('an expectation, with lane %s', (lane) => {
  /** A server that sees heads as they come: it answers an expecting request before its body is there. */
  async function expecting(answers: (body: string) => string, first: string): Promise<void> {
    await stage({ answer: () => undefined, lane });
    await upstream.close();
    const { createServer } = await import('node:net');
    const sockets = new Set<import('node:net').Socket>();
    const received: Received[] = [];
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      let text = '';
      let isTold = false;
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!isTold) {
          isTold = true;
          received.push({ head: text.slice(0, end + 4), body: '', socket, earlier: 0 });
          socket.write(first);
        }
        const body = text.slice(end + 4);
        if (/^(?:hello|5\r\nhello\r\n0\r\n\r\n)$/.test(body)) socket.write(answers(body));
      });
    });
    await new Promise<void>((resolve) =>
      server.listen(Number(new URL(upstream.url).port), '127.0.0.1', resolve),
    );
    upstream = {
      ...upstream,
      received,
      sockets,
      close: async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  }

  const go = 'HTTP/1.1 100 Continue\r\n\r\n';

  it.each([
    ['with a length', expectingHead, 'hello'],
    [
      'in chunks',
      expectingHead.replace('Content-Length: 5', 'Transfer-Encoding: chunked'),
      '5\r\nhello\r\n0\r\n\r\n',
    ],
  ])(
    '%s is told to go on by the volume server, and the connection stays',
    async (_n, head, body) => {
      await expecting(() => ok, go);
      const client = fixture.connect();
      client.send(head);
      await client.until((received) => received === go);
      expect(upstream.received[0]?.head).toBe(head);
      client.send(body);
      await client.until((received) => received === go + ok);
      client.send(readHere);
      await client.until((received) => received.endsWith('[here]'));
      expect(rawCount()).toBe(0);
      expect(fixture.records.map(({ outcome }) => outcome)).toEqual(['passthrough', 'cache']);
    },
  );

  it('whose body came at once is told to go on, too', async () => {
    await expecting(() => ok, go);
    const client = fixture.connect();
    client.send(`${expectingHead}hello${readHere}`);
    await client.until((received) => received.endsWith('[here]'));
    expect(client.received.startsWith(go + ok)).toBe(true);
  });

  it('that is refused before its body ends the connection, and nothing behind it is read', async () => {
    await expecting(() => ok, refused);
    const client = fixture.connect();
    client.send(expectingHead);
    await client.until((received) => received === refused);
    // Who knows whether this is a body.
    client.send(readHere);
    expect(await client.untilClosed()).toBe(refused);
    const sent = upstream.received[0]?.socket;
    expect(upstream.received).toHaveLength(1);
    await eventually(() => sent?.destroyed === true || sent?.readableEnded === true);
    expect(fixture.records).toMatchObject([{ outcome: 'passthrough' }]);
  });

  it('that is told to go on, and refused in the middle of its body, ends the connection', async () => {
    await expecting(() => ok, go + refused);
    const client = fixture.connect();
    client.send(`${expectingHead}hel`);
    await client.until((received) => received === go + refused);
    client.send(readHere);
    expect(await client.untilClosed()).toBe(go + refused);
  });

  it('that nobody answers is told nothing', async () => {
    await expecting(() => ok, '');
    const client = fixture.connect();
    client.send(expectingHead);
    await eventually(() => upstream.received.length === 1);
    expect(client.received).toBe('');
    client.send('hello');
    await client.until((received) => received === ok);
  });

  it('of another request is not told what it did not ask for', async () => {
    await stage({ answer: write(go + ok), lane });
    const client = fixture.connect();
    client.send('GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((received) => received === ok);
  });
});

it('a PUT with Expect whose volume server is gone gets 502, and the connection ends', async () => {
  await stage({ answer: write(ok) });
  await upstream.close();
  const client = fixture.connect();
  client.send(expectingHead);
  expect(await client.untilClosed()).toMatch(
    /^HTTP\/1\.1 502 Bad Gateway\r\n.*\r\nConnection: close\r\n\r\n/s,
  );
});

describe.each([true, false])('an offer of HTTP/2, with lane %s', (lane) => {
  const offer = (method: string, target: string, body = ''): string =>
    `${method} ${target} HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: a\r\n` +
    `HTTP2-Settings: AAMAAABk\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/21.0.2\r\n` +
    `${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;
  const switched =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';

  it('ends here, and the request goes on without it', async () => {
    await stage({ answer: write(ok), lane });
    const client = fixture.connect();
    client.send(offer('GET', '/2,02') + offer('PUT', '/2,02', 'hello') + readHere);
    await client.until((received) => received.endsWith('[here]'));
    expect(client.received.startsWith(ok + ok)).toBe(true);
    const own = 'Host: a\r\nUser-Agent: Java-http-client/21.0.2\r\n';
    expect(upstream.received.map(({ head, body }) => head + body)).toEqual([
      `GET /2,02 HTTP/1.1\r\n${own}\r\n`,
      `PUT /2,02 HTTP/1.1\r\n${own}Content-Length: 5\r\n\r\nhello`,
    ]);
    expect(rawCount()).toBe(0);
  });

  it('that is taken although nobody made it is an error, and the connection stays', async () => {
    await stage({ answer: write(switched), lane });
    const client = fixture.connect();
    client.send(offer('GET', '/2,02') + readHere);
    await client.until((received) => received.endsWith('[here]'));
    expect(client.received).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(client.received).not.toContain('101 ');
    expect(rawCount()).toBe(0);
  });

  it('of a write that is taken although nobody made it is an error, and the connection ends', async () => {
    await stage({ answer: write(switched), lane });
    const client = fixture.connect();
    client.send(offer('PUT', '/2,02', 'hello') + readHere);
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(client.received).not.toContain('[here]');
    expect(upstream.received).toHaveLength(1);
    expect(rawCount()).toBe(0);
  });
});

it.each([true, false])('Proxy-Connection ends here, with lane %s', async (lane) => {
  await stage({ answer: write(ok), lane });
  const client = fixture.connect();
  client.send(
    `GET /2,02 HTTP/1.1\r\nHost: a\r\nProxy-Connection: keep-alive\r\nX: y\r\n\r\n${readHere}`,
  );
  await client.until((received) => received.endsWith('[here]'));
  expect(upstream.received[0]?.head).toBe('GET /2,02 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n');
  expect(rawCount()).toBe(0);
});

describe('HTTP/1.0', () => {
  const old = (target: string, ...lines: readonly string[]): string =>
    [`GET ${target} HTTP/1.0`, ...lines, '', ''].join('\r\n');
  const stays = 'Connection: keep-alive';
  const kept = 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok';
  const once = 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok';

  it('goes on as it came, and its answer comes as it was sent', async () => {
    await stage({ answer: write(kept) });
    const client = fixture.connect();
    const text = old('/2,02', 'Keep-Alive: 300', stays, 'X:y');
    client.send(text + readHere);
    await client.until((received) => received.endsWith('[here]'));
    expect(client.received.startsWith(kept)).toBe(true);
    expect(upstream.received[0]?.head).toBe(text);
    expect(rawCount()).toBe(0);
  });

  it('keeps its connection to the volume server, too, where both said so', async () => {
    await stage({ answer: write(kept) });
    const client = fixture.connect();
    client.send(old('/2,02', stays) + old('/3,03', stays));
    await client.until((received) => received === kept + kept);
    expect(upstream.accepted()).toBe(1);
  });

  it.each([
    ['the client did not ask to stay', old('/2,02'), once],
    ['the client asks for close', old('/2,02', 'Connection: close'), once],
    ['the answer does not say that it stays', old('/2,02', stays), once],
    ['an answer of HTTP/1.1 does not say it', old('/2,02', stays), ok],
    [
      'the answer says close',
      old('/2,02', stays),
      'HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok',
    ],
  ])('ends the connection where %s', async (_name, text, answer) => {
    await stage({ answer: write(answer) });
    const client = fixture.connect();
    client.send(text + readHere);
    expect(await client.untilClosed()).toBe(answer);
    expect(rawCount()).toBe(0);
  });

  it('takes an answer that ends with its connection', async () => {
    const answer = `HTTP/1.0 200 OK\r\n${stays}\r\n\r\nall there is`;
    await stage({ answer: ({ socket }) => void socket.end(answer) });
    const client = fixture.connect();
    client.send(old('/2,02', stays) + readHere);
    expect(await client.untilClosed()).toBe(answer);
  });

  it('does not get an answer in chunks, which it cannot read', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    await stage({ answer: write(answer) });
    const client = fixture.connect();
    client.send(old('/2,02', stays));
    await client.until((received) => received.startsWith('HTTP/1.0 502 Bad Gateway\r\n'));
    expect(rawCount()).toBe(0);
  });

  it('is answered here, and ends the connection unless it asks to stay', async () => {
    await stage({ answer: write(ok) });
    const client = fixture.connect();
    client.send(old('/1,01', stays) + old('/1,01') + readHere);
    await client.untilClosed();
    expect(client.received.match(/\[here\]/g)).toHaveLength(2);
    expect(fixture.records.map(({ outcome }) => outcome)).toEqual(['cache', 'cache']);
  });

  it('is told of a volume server that is gone in HTTP/1.0', async () => {
    await stage({ answer: write(ok) });
    await upstream.close();
    const client = fixture.connect();
    client.send(old('/2,02', stays) + old('/2,02'));
    await client.untilClosed();
    const heads = client.received.match(/HTTP\/1\.0 502 Bad Gateway\r\n.*?\r\n\r\n/gs) ?? [];
    expect(heads).toHaveLength(2);
    expect(heads[0]).toContain('\r\nConnection: keep-alive\r\n');
    expect(heads[1]).not.toContain('Connection');
  });

  it('says who answered where answers say that', async () => {
    await stage({ answer: write(kept), debugHeaders: true });
    const client = fixture.connect();
    client.send(old('/1,01', stays) + old('/2,02', stays));
    await client.until((received) => received.endsWith('ok'));
    expect(client.received.match(/^X-Rdma-Source: .*$/gm)).toEqual([
      'X-Rdma-Source: cache',
      'X-Rdma-Source: passthrough;reason=off',
    ]);
  });

  it('is forwarded as such without the lane, too', async () => {
    await stage({ answer: write(once), lane: false });
    const client = fixture.connect();
    client.send(old('/2,02'));
    expect(await client.untilClosed()).toBe(once);
    expect(upstream.received[0]?.head).toBe(old('/2,02'));
    expect(rawCount()).toBe(0);
  });
});
