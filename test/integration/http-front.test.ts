import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { startHttpFront } from '../../src/proxy/front/server.ts';
import { forwarders } from '../../src/proxy/passthrough/forwarders.ts';
import { fixture, front, stage, upstream } from './front-stage.ts';
import {
  eventually,
  generousLimits,
  needleAnswer,
  ok,
  passed,
  type Received,
  routeOf,
} from './http-front-fixture.ts';

function targetOf(request: Received | undefined): string | undefined {
  return request?.head.split(' ')[1];
}

/** Answers with the request's target, so that an answer in the wrong place shows. */
function echoTarget(request: Received): void {
  const body = `<${targetOf(request)}>`;
  request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

describe.each([true, false])('requests on one connection, lane %s', (lane) => {
  it('are answered in order when pipelined, whoever answers each', async () => {
    stage.answer = echoTarget;
    await front({
      lane,
      serve: async (head) => {
        // The first takes longest: order must not depend on it.
        await new Promise((resolve) => setTimeout(resolve, head.target.startsWith('/1,') ? 30 : 1));
        return head.target.includes('needle')
          ? needleAnswer(Buffer.from(`[${head.target}]`))
          : passed(upstream.url);
      },
    });
    const targets = ['/1,needle', '/2,other', '/3,needle', '/status', '/4,other', '/5,needle'];
    const client = fixture.connect();
    client.send(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    await client.until((text) => text.includes('[/5,needle]'));
    const seen = client.received.match(/[[<]\/[^\]>]*[\]>]/g);
    expect(seen).toEqual([
      '[/1,needle]',
      '</2,other>',
      '[/3,needle]',
      '</status>',
      '</4,other>',
      '[/5,needle]',
    ]);
    expect(fixture.records.map((record) => record.outcome)).toEqual([
      'cache',
      'passthrough',
      'cache',
      'passthrough',
      'passthrough',
      'cache',
    ]);
    expect(fixture.front.stats.requestsInFlight).toBe(0);
  });

  it('may mix bodies and reads, delivered byte by byte', async () => {
    stage.answer = echoTarget;
    await front({
      lane,
      serve: (head) =>
        head.target.includes('needle') ? needleAnswer(Buffer.from('[n]')) : passed(upstream.url),
    });
    const client = fixture.connect();
    const text =
      'PUT /1,a HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\nGET /evil HTTP/1.1\r\n\r' +
      'GET /2,needle HTTP/1.1\r\nHost: a\r\n\r\n' +
      'POST /3,b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' +
      'GET /4,needle HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const byte of text) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until((received) => received.split('[n]').length === 3);
    expect(client.received.match(/<[^>]*>|\[n\]/g)).toEqual(['</1,a>', '[n]', '</3,b>', '[n]']);
    expect(upstream.received[0]?.body).toBe('GET /evil HTTP/1.1\r\n\r');
    expect(upstream.received).toHaveLength(2);
  });

  it('give the same bytes with an answer of the corridor', async () => {
    await front({ lane, serve: () => needleAnswer(Buffer.from('needle')) });
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2));
    const one = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nServer: s\r\n\r\nneedle';
    await client.until((text) => text.length >= 2 * one.length);
    expect(client.received).toBe(one + one);
  });

  it('end with one that asks for close', async () => {
    await front({ lane, serve: () => needleAnswer(Buffer.from('x'), undefined, true) });
    const client = fixture.connect();
    client.send(
      'GET /1,01 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    expect((await client.untilClosed()).split('HTTP/1.1').length).toBe(2);
  });

  it('release a large needle once, after its last byte', async () => {
    const releases = { count: 0 };
    const body = Buffer.alloc(3_000_000, 'n');
    await front({ lane, serve: () => needleAnswer(body, releases) });
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text.length >= body.length + 50);
    await eventually(() => releases.count === 1);
    expect(fixture.front.stats.bytesInFlight).toBe(0);
    expect(fixture.records[0]).toMatchObject({
      outcome: 'cache',
      bodyBytes: body.length,
      transport: 'tcp',
    });
  });

  it('release the needle of a client that is gone', async () => {
    const releases = { count: 0 };
    await front({ lane, serve: () => needleAnswer(Buffer.alloc(50_000_000), releases) });
    const client = fixture.connect();
    client.socket.pause();
    client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => fixture.front.stats.bytesInFlight > 0);
    client.socket.destroy();
    await eventually(() => releases.count === 1 && fixture.front.stats.bytesInFlight === 0);
    expect(fixture.records).toHaveLength(1);
  });

  it('release a needle that was found after its client had gone', async () => {
    const releases = { count: 0 };
    let found: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      found = resolve;
    });
    let asked = false;
    await front({
      lane,
      serve: async () => {
        asked = true;
        await waiting;
        return needleAnswer(Buffer.alloc(100_000), releases);
      },
    });
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => asked);
    client.socket.destroy();
    await eventually(() => fixture.front.stats.requestsInFlight === 0);
    found();
    await eventually(() => releases.count === 1 && fixture.records.length === 1);
  });
});

describe('what is not understood', () => {
  it('goes to the volume server byte for byte, and so does all that follows', async () => {
    await front();
    const text = 'GET /1,01 HTTP/1.1\nHost: a\n\nGET /2,02 HTTP/1.1\r\nHost: b\r\n\r\n';
    const client = fixture.connect();
    client.send(text);
    await client.until((received) => received === ok + ok);
    expect(upstream.received.map((request) => request.head).join('')).toBe(text);
    expect(upstream.accepted()).toBe(1);
    client.socket.end();
    await eventually(() => fixture.records.length === 1);
    expect(fixture.records[0]).toMatchObject({ outcome: 'passthrough', reason: 'raw' });
  });

  it.each([
    'GET http:// HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /1,01 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET /1,01 HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /1,01 HTTP/1.1\r\nHost: a\r\nX: \x01\xff\r\n\r\n',
    'FOO /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
  ])('%j reaches it unchanged', async (text) => {
    await front();
    const client = fixture.connect();
    client.send(text);
    await client.until((received) => received === ok);
    expect(upstream.received[0]?.head).toBe(text);
  });

  it('behind understood requests waits for their answers', async () => {
    stage.answer = echoTarget;
    await front();
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\nGET /raw HTTP/1.2\r\n\r\n');
    await client.until((received) => received.includes('</raw>'));
    expect(client.received.match(/<[^>]*>/g)).toEqual(['</1,01>', '</raw>']);
  });

  it('answers 502 where no volume server can be reached', async () => {
    await upstream.close();
    await front();
    const client = fixture.connect();
    client.send('GET /1,01 HTTP/1.2\r\n\r\n');
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    client.socket.end();
    await eventually(() => fixture.records.length === 1);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'raw' });
  });

  it('a head at its limit is a request, one byte more is raw', async () => {
    await front({ limits: { headBytes: 1_000 }, serve: () => needleAnswer(Buffer.from('needle')) });
    const start = 'GET /1,01 HTTP/1.1\r\nHost: a\r\nUser-Agent: ';
    const fitting = `${start}${'u'.repeat(1_000 - start.length - 4)}\r\n\r\n`;
    const client = fixture.connect();
    client.send(fitting);
    await client.until((received) => received.endsWith('needle'));
    client.send(fitting.replace('uu', 'uuu'));
    await client.until((received) => received.endsWith(ok));
  });
});

it('listens on a unix socket', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'http-front-')), 'socket');
  const front = await startHttpFront(
    {
      listen: { path },
      lane: true,
      debugHeaders: false,
      limits: generousLimits,
      logger: pino({ level: 'silent' }),
    },
    routeOf(upstream.url, () => needleAnswer(Buffer.from('needle'))),
    forwarders,
  );
  expect([front.address, front.port]).toEqual([path, 0]);
  const client = connect({ path });
  client.write('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
  const [bytes] = (await once(client, 'data')) as [Buffer];
  expect(bytes.toString()).toMatch(/needle$/);
  client.destroy();
  await front.close(0);
  expect(existsSync(path)).toBe(false);
});

it('names who answered where debug headers are on', async () => {
  await front({
    debugHeaders: true,
    serve: (head) =>
      head.target === '/1,01' ? needleAnswer(Buffer.from('x')) : passed(upstream.url),
  });
  const client = fixture.connect();
  client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\nGET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.endsWith('ok'));
  expect(client.received.match(/X-Rdma-Source: .*/g)).toEqual([
    'X-Rdma-Source: cache',
    'X-Rdma-Source: passthrough;reason=off',
  ]);
  expect(client.received.match(/\r\nServer-Timing: total;dur=[0-9.]+\r\n\r\n/g)).toHaveLength(2);
});

it('refuses with 503 and the reason what the corridor may not fall back on', async () => {
  await front({ serve: () => ({ kind: 'error', status: 503, reason: 'target-down' }) });
  const client = fixture.connect();
  client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /1,01 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.split('\r\n\r\n').length === 3 && text.endsWith('\r\n\r\n'));
  expect(client.received.match(/HTTP\/1\.1 503 Service Unavailable/g)).toHaveLength(2);
  expect(client.received).toContain('Retry-After: 1\r\n');
  expect(fixture.records.map((record) => [record.outcome, record.reason])).toEqual([
    ['error', 'target-down'],
    ['error', 'target-down'],
  ]);
});
