import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixture, front, get, stage, upstream } from './front-stage.ts';
import { eventually, needleAnswer, ok, type RawClient } from './http-front-fixture.ts';

const malformed =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request';

describe('time', () => {
  it('an idle connection is closed without a byte', async () => {
    await front({ limits: { idleTimeoutMs: 100, headTimeoutMs: 10_000 } });
    expect(await fixture.connect().untilClosed()).toBe('');
  });

  it('a connection is idle again after an answer', async () => {
    await front({ limits: { idleTimeoutMs: 200, headTimeoutMs: 10_000 } });
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.untilClosed()).toBe(ok);
  });

  it('a half-sent head gets what Go says to it', async () => {
    await front({ limits: { idleTimeoutMs: 10_000, headTimeoutMs: 100 } });
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nHost:');
    expect(await client.untilClosed()).toBe(malformed);
    expect(fixture.records).toEqual([]);
    expect(fixture.front.stats.headTimeouts).toBe(1);
  });

  it('a head that trickles in does not last for ever', async () => {
    await front({ limits: { idleTimeoutMs: 10_000, headTimeoutMs: 150 } });
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nX: ');
    const trickle = setInterval(() => client.send('y'), 10);
    expect(await client.untilClosed()).toBe(malformed);
    clearInterval(trickle);
  });

  it('a slow answer is awaited however long the connection would idle', async () => {
    stage.answer = ({ socket }) => void setTimeout(() => socket.write(ok), 400);
    await front({ limits: { idleTimeoutMs: 100, headTimeoutMs: 100 } });
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text === ok);
  });

  it('a client that stopped reading a needle is cut off, and its lease comes home', async () => {
    const releases = { count: 0 };
    await front({
      limits: { idleTimeoutMs: 200, connectionBytes: 0 },
      serve: () => needleAnswer(Buffer.alloc(50_000_000), releases),
    });
    const client = fixture.connect();
    client.socket.pause();
    client.send(get('/1,01'));
    await eventually(() => fixture.front.stats.bytesInFlight > 0);
    await eventually(() => fixture.front.stats.connections === 0);
    expect(releases.count).toBe(1);
    expect(fixture.front.stats.bytesInFlight).toBe(0);
  });
});

describe('a client that has ended its side', () => {
  it('reads the answers of its whole pipeline as slowly as it likes, and nothing is piped raw', async () => {
    const releases = { count: 0 };
    await front({ serve: () => needleAnswer(Buffer.alloc(1_000_000), releases) });
    const client = fixture.connect();
    client.socket.pause();
    client.socket.end(get('/1,01').repeat(40));
    await pause(300);
    client.socket.resume();
    const text = await client.untilClosed();
    expect(text.split('HTTP/1.1 200').length - 1).toBe(40);
    expect([releases.count, fixture.front.stats.rawPipes]).toEqual([40, 0]);
    expect(upstream.received).toEqual([]);
  });
});

describe('numbers', () => {
  it('a connection too many is told to come again', async () => {
    await front({ limits: { connections: 2 } });
    const first = fixture.connect();
    const second = fixture.connect();
    await eventually(() => fixture.front.stats.connections === 2);
    const third = fixture.connect();
    expect(await third.untilClosed()).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
    expect(fixture.front.stats).toMatchObject({ connectionsAccepted: 2, connectionsRefused: 1 });
    first.socket.destroy();
    await eventually(() => fixture.front.stats.connections === 1);
    const fourth = fixture.connect();
    for (const client of [second, fourth]) {
      client.send(get('/a'));
      await client.until((text) => text === ok);
    }
  });

  it('a connection that sends no request makes place for one that does', async () => {
    await front({ limits: { connections: 3 } });
    const asked = fixture.connect();
    asked.send(get('/a'));
    await asked.until((text) => text === ok);
    const silent = fixture.connect();
    const dripping = fixture.connect();
    dripping.send('GET /');
    await eventually(() => fixture.front.stats.connections === 3);
    await pause(1_600);
    for (const each of [silent, dripping]) {
      const newcomer = fixture.connect();
      newcomer.send(get('/b'));
      await newcomer.until((text) => text === ok);
      await each.untilClosed();
    }
    expect(asked.closed).toBe(false);
    const late = fixture.connect();
    late.send(get('/c'));
    expect(await late.until((text) => text !== '')).toBe(ok);
    await asked.untilClosed();
    const tooMany = fixture.connect();
    expect(await tooMany.untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    expect(fixture.front.stats).toMatchObject({ connectionsEvicted: 3, connectionsRefused: 1 });
  });

  it('few of those that made place and stay half open are held beyond the limit', async () => {
    await front({ limits: { connections: 40 } });
    const openMore = (count: number): void => {
      for (let i = 0; i < count; i += 1) fixture.connect();
    };
    openMore(40);
    await eventually(() => fixture.front.stats.connections === 40);
    await pause(1_600);
    openMore(40);
    await eventually(() => fixture.front.stats.connectionsEvicted === 40);
    await eventually(() => fixture.front.stats.connections <= 40 + 16);
  });

  it('connections that rest after an answer make place, the quietest first', async () => {
    await front({ limits: { connections: 3 } });
    const resting = [];
    for (let i = 0; i < 3; i += 1) {
      const client = fixture.connect();
      client.send(get('/a'));
      await client.until((text) => text === ok);
      resting.push(client);
    }
    const [first, second, third] = resting as [RawClient, RawClient, RawClient];
    await pause(1_600);
    first.send(get('/again'));
    await first.until((text) => text === ok + ok);
    for (const each of [second, third]) {
      const newcomer = fixture.connect();
      newcomer.send(get('/b'));
      await newcomer.until((text) => text === ok);
      await each.untilClosed();
    }
    expect(await fixture.connect().untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    expect(first.closed).toBe(false);
    expect(fixture.front.stats).toMatchObject({ connectionsEvicted: 2, connectionsRefused: 1 });
  });

  it('a raw pipe that rests long after an answer makes place, too', async () => {
    await front({ limits: { connections: 1 } });
    const raw = fixture.connect();
    raw.send('GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n');
    await raw.until((text) => text === ok);
    expect(await fixture.connect().untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    await pause(12_500);
    const newcomer = fixture.connect();
    newcomer.send(get('/b'));
    await newcomer.until((text) => text === ok);
    await raw.untilClosed();
    expect(fixture.front.stats).toMatchObject({ connectionsEvicted: 1, connectionsRefused: 1 });
  }, 30_000);

  it('connections with a request or an answer under way, or just behind one, keep their places', async () => {
    const late: (() => void)[] = [];
    stage.answer = ({ socket, head }) => {
      if (head.includes(' /large ')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n');
        socket.write(Buffer.alloc(40_000_000));
      } else {
        late.push(() => socket.write(ok));
      }
    };
    await front({ limits: { connections: 4 } });
    const clients = ['/a', '/large', '/b'].map((target) => {
      const client = fixture.connect();
      if (target === '/large') client.socket.pause();
      client.send(get(target));
      return client;
    });
    const upload = fixture.connect();
    upload.send('PUT /1,01 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx');
    await eventually(() => fixture.front.stats.requestsInFlight === 4 && late.length === 2);
    await pause(1_600);
    expect(await fixture.connect().untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    // The sweep comes by, so that the next newcomer's place is looked for anew.
    await pause(300);
    for (const answer of late) answer();
    await clients[0]?.until((text) => text === ok);
    expect(await fixture.connect().untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    expect([...clients, upload].map((client) => client.closed)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(fixture.front.stats).toMatchObject({ connectionsEvicted: 0, connectionsRefused: 2 });
  });

  it('an address with a request under way on every place loses one to an address with fewer', async () => {
    stage.answer = ({ socket, head }) => {
      if (!head.includes(' /held')) socket.write(ok);
    };
    await front({ limits: { connections: 4 } });
    const holding = Array.from({ length: 4 }, (_, at) => {
      const client = fixture.connect();
      client.send(get(`/held${at}`));
      return client;
    });
    await eventually(() => fixture.front.stats.requestsInFlight === 4);
    const others = [];
    for (let at = 0; at < 2; at += 1) {
      const newcomer = fixture.connect('127.0.0.2');
      newcomer.send(get('/held'));
      others.push(newcomer);
      await holding[at]?.untilClosed();
    }
    await eventually(() => fixture.front.stats.connections === 4);
    // Both have two: one more of either would have more than the other one.
    for (const from of ['127.0.0.1', '127.0.0.2']) {
      expect(await fixture.connect(from).untilClosed()).toMatch(/^HTTP\/1\.1 503 /);
    }
    expect([...holding, ...others].map(({ closed }) => closed)).toEqual([
      true,
      true,
      ...Array(4).fill(false),
    ]);
    expect(fixture.front.stats).toMatchObject({ connectionsEvicted: 2, connectionsRefused: 2 });
  });

  it('requests over the limit pass, over twice the limit are refused', async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    stage.answer = ({ socket }) => void gate.then(() => socket.write(ok));
    const served: string[] = [];
    await front({
      limits: { requestsInFlight: 2 },
      serve: async (head) => {
        served.push(head.target);
        await gate;
        return needleAnswer(Buffer.from('needle'));
      },
    });
    const clients = [];
    for (let i = 1; i <= 6; i += 1) {
      const client = fixture.connect();
      client.send(get(`/${i},01`));
      await eventually(() => fixture.front.stats.requestsInFlight >= Math.min(i, 4));
      clients.push(client);
    }
    const [, , , , fifth, sixth] = clients;
    for (const refused of [fifth, sixth]) {
      await refused?.until((text) => text.includes('503 Service Unavailable'));
    }
    go();
    for (const client of clients.slice(0, 2)) await client.until((text) => text.endsWith('needle'));
    for (const client of clients.slice(2, 4)) await client.until((text) => text === ok);
    expect(served).toEqual(['/1,01', '/2,01']);
    expect(fixture.records.map((record) => `${record.outcome} ${record.reason}`).sort()).toEqual([
      'cache ',
      'cache ',
      'error overload',
      'error overload',
      'passthrough overload',
      'passthrough overload',
    ]);
    expect(fixture.front.stats.requestsInFlight).toBe(0);
  });

  it('needle bytes over the limit make further reads pass', async () => {
    await front({
      limits: { bytesInFlight: 1_000_000, connectionBytes: 0 },
      serve: () => needleAnswer(Buffer.alloc(40_000_000)),
    });
    const slow = fixture.connect();
    slow.socket.pause();
    slow.send(get('/1,01'));
    await eventually(() => fixture.front.stats.bytesInFlight > 1_000_000);
    const other = fixture.connect();
    other.send(get('/2,02'));
    await other.until((text) => text === ok);
    expect(fixture.records).toMatchObject([{ outcome: 'passthrough', reason: 'overload' }]);
  });

  it("a slow client's rest is copied, and the lease goes home before the client has read it", async () => {
    const releases = { count: 0 };
    const body = Buffer.alloc(12_000_000);
    for (let i = 0; i < body.length; i += 1) body[i] = i % 251;
    await front({
      limits: { connectionBytes: 12_000_000 },
      serve: () => needleAnswer(Buffer.from(body), releases),
    });
    const client = fixture.connect();
    client.socket.pause();
    client.send(get('/1,01'));
    await eventually(() => fixture.front.stats.bytesInFlight > 0);
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.socket.on('data', () => {
      // One gulp at a time, so that the front's socket drains now and then.
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 1);
    });
    client.socket.resume();
    await eventually(() => releases.count === 1);
    expect(client.received.length).toBeLessThan(body.length);
    const headBytes = client.received.indexOf('\r\n\r\n') + 4;
    const text = await client.until((received) => received.length >= headBytes + body.length);
    expect(Buffer.from(text.slice(headBytes), 'latin1').equals(body)).toBe(true);
  });
});

describe('the end', () => {
  it('waits for the request in hand, then for nothing', async () => {
    stage.answer = ({ socket }) => void setTimeout(() => socket.write(ok), 150);
    await front();
    const idle = fixture.connect();
    const busy = fixture.connect();
    busy.send(get('/a') + get('/b'));
    await eventually(() => upstream.received.length === 1 && fixture.front.stats.connections === 2);
    const closed = fixture.front.close(5_000);
    expect(await idle.untilClosed()).toBe('');
    expect(await busy.untilClosed()).toBe(ok);
    idle.socket.destroy();
    busy.socket.destroy();
    await closed;
  });

  it('destroys what has not finished in time', async () => {
    stage.answer = () => undefined;
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    await eventually(() => upstream.received.length === 1);
    await fixture.front.close(100);
    expect(await client.untilClosed()).toBe('');
  });
});
