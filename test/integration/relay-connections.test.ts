/** The relay's connections to the volume server: how many, whose the bytes are, and what happens when they end. */
import dns from 'node:dns';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixture, front, get, stage, upstream } from './front-stage.ts';
import { eventually, type FrontFixtureOptions, ok, type Received } from './http-front-fixture.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('connections to the volume server', () => {
  it('are used again, the last one first, and closed when they have been idle for long', async () => {
    const held: Received[] = [];
    stage.answer = (request) => void held.push(request);
    await front();
    const clients = [fixture.connect(), fixture.connect(), fixture.connect()];
    for (const client of clients) client.send(get('/a'));
    await eventually(() => held.length === 3);
    for (const { socket } of held) socket.write(ok);
    for (const client of clients) await client.until((text) => text === ok);
    const last = held[2]?.socket;
    stage.answer = ({ socket }) => void socket.write(ok);
    for (const client of clients) {
      client.send(get('/b'));
      await client.until((text) => text === ok + ok);
    }
    expect(upstream.received.slice(3).map(({ socket }) => socket === last)).toEqual([
      true,
      true,
      true,
    ]);
    expect(upstream.accepted()).toBe(3);
    await eventually(() => upstream.sockets.size === 0, 8_000);
  }, 15_000);

  it('to a name with several addresses try them in turn', async () => {
    stage.answer = ({ socket, head }) => {
      const name = head.split(' ')[1] as string;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    };
    await front({ upstreamUrl: upstream.url.replace('127.0.0.1', 'volume.test') });
    // Nobody listens on the first one: the reading memory must be told to the second attempt too.
    const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
    const lookup = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((
        _name: string,
        _options: unknown,
        done: (error: null, found: typeof addresses) => void,
      ) => done(null, addresses)) as unknown as typeof dns.lookup);
    const client = fixture.connect();
    for (const name of ['/a', '/b', '/c']) {
      client.send(get(name));
      await client.until((text) => text.endsWith(name));
    }
    expect(lookup).toHaveBeenCalledOnce();
    expect(upstream.accepted()).toBe(1);
  });

  it('are bounded, and who waits is served in turn', async () => {
    const held: Received[] = [];
    stage.answer = (request) => void held.push(request);
    await front({ limits: { requestsInFlight: 2 } });
    const clients = [1, 2, 3, 4].map((number) => {
      const client = fixture.connect();
      client.send(`PUT /${number} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n${number}`);
      return client;
    });
    await eventually(() => fixture.front.stats.requestsInFlight === 4 && held.length === 2);
    for (let i = 0; i < 4; i += 1) {
      await eventually(() => held.length > i);
      expect(upstream.sockets.size).toBeLessThanOrEqual(2);
      held[i]?.socket.write(ok);
    }
    for (const client of clients) await client.until((text) => text === ok);
    expect(new Set(held.map(({ body }) => body)).size).toBe(4);
    expect(upstream.accepted()).toBe(2);
  });

  it('are waited for by nobody who is gone', async () => {
    const held: Received[] = [];
    stage.answer = (request) => void held.push(request);
    await front({ limits: { requestsInFlight: 1 } });
    const [first, second] = [fixture.connect(), fixture.connect()];
    first.send(`PUT /1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(() => held.length === 1);
    second.send(`PUT /2 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(() => fixture.front.stats.requestsInFlight === 2);
    second.socket.destroy();
    await eventually(() => fixture.front.stats.requestsInFlight === 1);
    held[0]?.socket.write(ok);
    await first.until((text) => text === ok);
    first.send(get('/3'));
    await eventually(() => held.length === 2);
    expect(held[1]?.head.startsWith('GET /3')).toBe(true);
  });

  it('that died are replaced for who waits', async () => {
    const held: Received[] = [];
    stage.answer = (request) => void held.push(request);
    await front({ limits: { requestsInFlight: 1 } });
    const [first, second] = [fixture.connect(), fixture.connect()];
    first.send(`PUT /1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(() => held.length === 1);
    second.send(`PUT /2 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(() => fixture.front.stats.requestsInFlight === 2);
    held[0]?.socket.destroy();
    await first.until((text) => text.includes('502 Bad Gateway'));
    await eventually(() => held.length === 2);
    held[1]?.socket.write(ok);
    await second.until((text) => text === ok);
  });

  it.each([
    ['behind a head without a body', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['behind a length', ok],
    [
      'behind the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    ],
  ])('with stray bytes %s are not used again', async (_name, bytes) => {
    stage.answer = ({ socket, earlier }) => void socket.write(earlier === 0 ? `${bytes}x` : ok);
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text === bytes);
    client.send(get('/b'));
    await client.until((text) => text === bytes + bytes);
    expect(upstream.accepted()).toBe(2);
  });

  it('that have not read the whole request are not used again', async () => {
    await front();
    const client = fixture.connect();
    client.send('PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart');
    await eventually(() => upstream.sockets.size === 1);
    for (const socket of upstream.sockets) socket.write(ok);
    expect(await client.untilClosed()).toBe(ok);
    await eventually(() => upstream.sockets.size === 0, 2_000);
  });

  it('that the volume server closes with its answer are not used again', async () => {
    const closing = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    // It says so, and does not do it.
    stage.answer = ({ socket }) => void socket.write(closing);
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.untilClosed()).toBe(closing);
    await eventually(() => upstream.sockets.size === 0);
  });
});

describe('a volume server that goes', () => {
  it.each([
    ['in the middle of a head', 'HTTP/1.1 200 OK\r\nCont'],
    ['behind an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('%s has not answered', async (_name, bytes) => {
    stage.answer = ({ socket }) => void socket.end(bytes);
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text.startsWith('HTTP/1.1 502 Bad Gateway'));
    expect(upstream.received).toHaveLength(1);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'upstream-down' });
  });

  it('in the middle of a head on a used connection is asked once more', async () => {
    stage.answer = ({ socket, earlier }) =>
      void (earlier === 0 ? socket.write(ok) : socket.end('HTTP/1.1 200 OK\r\nCont'));
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text === ok);
    client.send(get('/b'));
    await client.until((text) => text === ok + ok);
    expect(upstream.accepted()).toBe(2);
    expect(fixture.front.stats.retries).toBe(1);
    expect(fixture.front.upstreamPools).toMatchObject([{ sentOnNew: 2, sentOnReused: 1 }]);
  });

  it('by a reset in a body that ends with the connection cuts the client', async () => {
    stage.answer = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\npart');
      setTimeout(() => socket.resetAndDestroy(), 50);
    };
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.untilClosed()).toBe('HTTP/1.1 200 OK\r\n\r\npart');
    expect(fixture.records[0]).toMatchObject({ outcome: 'error' });
  });

  it('in the middle of an upload has lost it', async () => {
    await front();
    const client = fixture.connect();
    client.send('PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart');
    await eventually(() => upstream.sockets.size === 1);
    for (const socket of upstream.sockets) socket.destroy();
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 502 .*\r\nConnection: close\r\n/s);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error' });
  });
});

describe('a write', () => {
  const told: boolean[] = [];
  const serve = (): ReturnType<NonNullable<FrontFixtureOptions['serve']>> => ({
    kind: 'passthrough',
    reason: 'method',
    upstreamUrl: upstream.url,
    settled: (isAnswered) => void told.push(isAnswered),
  });
  beforeEach(() => {
    told.length = 0;
  });

  it('is told of before its answer is passed on', async () => {
    let toldAtFirstByte = -1;
    await front({ serve });
    const client = fixture.connect();
    client.socket.once('data', () => {
      toldAtFirstByte = told.length;
    });
    client.send('DELETE /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text === ok);
    expect([toldAtFirstByte, told]).toEqual([1, [true]]);
  });

  it.each([
    ['the volume server closes', (request: Received) => void request.socket.destroy()],
    ['its answer is not understood', (request: Received) => void request.socket.write('nonsense')],
  ])('is told of once when %s', async (_name, how) => {
    stage.answer = how;
    await front({ serve });
    const client = fixture.connect();
    client.send('DELETE /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => told.length > 0);
    expect(told).toEqual([false]);
    expect(upstream.received).toHaveLength(1);
  });

  it('is told of once when its client goes', async () => {
    stage.answer = () => undefined;
    await front({ serve });
    const client = fixture.connect();
    client.send('DELETE /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => upstream.received.length === 1);
    client.socket.destroy();
    await eventually(() => upstream.sockets.size === 0);
    expect(told).toEqual([false]);
  });
});
