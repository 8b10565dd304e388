/**
 * A body that ended with its connection and was cut on the way looked whole to the client: the proxy closed in good
 * order where the volume server had not.
 */

import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lingerMs } from '../../src/proxy/front/limits.ts';
import { fixture, front, stage } from './front-stage.ts';
import { eventually, type RawClient, type Received } from './http-front-fixture.ts';

const requests: readonly (readonly [name: string, text: string])[] = [
  ['HTTP/1.1', 'GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['HTTP/1.1 with another hop', 'GET /2,02 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n'],
  ['HTTP/1.0', 'GET /2,02 HTTP/1.0\r\n\r\n'],
];

/** The answer that a volume server gives to each version, up to where its body begins. */
function head({ head: request }: Received, lines = ''): string {
  return `HTTP/${request.includes('HTTP/1.0') ? '1.0' : '1.1'} 200 OK\r\nX: y\r\n${lines}\r\n`;
}

async function asked(text: string): Promise<RawClient> {
  const client = fixture.connect();
  client.send(text);
  await client.until((received) => received.endsWith('part'));
  return client;
}

const long = Buffer.alloc(24 * 2 ** 20, 'x');

describe.each([true, false])('a whole answer, with lane %s,', (lane) => {
  it('reaches a client that is slower than the volume server may be', async () => {
    stage.answer = ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${long.length}\r\n\r\n`);
      socket.write(long);
    };
    await front({ lane, limits: { upstreamTimeoutMs: 300, idleTimeoutMs: 8_000 } });
    const client = fixture.connect();
    client.send('GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n');
    client.socket.pause();
    await pause(1_200);
    client.socket.resume();
    await client.until((text) => text.length > long.length);
  });

  it('that the kernel holds reaches a client that makes place for a newcomer', async () => {
    const bytes = long.subarray(0, 1_000_000);
    stage.answer = ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes);
    };
    await front({ lane, limits: { connections: 1, idleTimeoutMs: 20_000 } });
    const client = fixture.connect();
    client.socket.pause();
    client.send('GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => fixture.records.length === 1);
    await pause(2_000);
    const newcomer = fixture.connect();
    newcomer.send('GET /2,03 HTTP/1.1\r\nHost: a\r\n\r\n');
    await newcomer.until((text) => text.length > bytes.length);
    // One byte more on a connection that was closed at once would have the kernel reset it.
    client.send('GET /2,04 HTTP/1.1\r\nHost: a\r\n\r\n');
    await pause(200);
    client.socket.resume();
    expect((await client.untilClosed()).length).toBeGreaterThan(bytes.length);
    expect(client.ending).toBe('end');
  });
});

describe.each([true, false])('with lane %s', (lane) => {
  describe.each(requests)('an answer to %s', (_name, text) => {
    it('that ends with its connection and is reset is reset', async () => {
      stage.answer = (request) => {
        request.socket.write(`${head(request)}part`);
        setTimeout(() => request.socket.resetAndDestroy(), 30);
      };
      await front({ lane });
      const client = await asked(text);
      await client.untilClosed();
      expect(client.ending).toBe('reset');
      expect(fixture.records).toMatchObject([{ outcome: 'error' }]);
    });

    it('that ends with its connection and goes silent is reset', async () => {
      stage.answer = (request) => void request.socket.write(`${head(request)}part`);
      await front({ lane, limits: { upstreamTimeoutMs: 300 } });
      const client = await asked(text);
      await client.untilClosed();
      expect(client.ending).toBe('reset');
    });

    it('that ends with its connection in good order ends in good order', async () => {
      stage.answer = (request) => {
        request.socket.write(`${head(request)}part`);
        setTimeout(() => request.socket.end(' and rest'), 30);
      };
      await front({ lane });
      const client = await asked(text);
      expect(await client.untilClosed()).toMatch(/\r\n\r\npart and rest$/);
      expect(client.ending).toBe('end');
    });

    it('with a length misses what was cut', async () => {
      stage.answer = (request) => {
        request.socket.write(`${head(request, 'Content-Length: 9\r\n')}part`);
        setTimeout(() => request.socket.end(), 30);
      };
      await front({ lane });
      const client = await asked(text);
      expect(await client.untilClosed()).toMatch(/Content-Length: 9\r\n\r\npart$/);
    });

    it('that ends with its connection is reset when the proxy stops before it is complete', async () => {
      stage.answer = (request) => void request.socket.write(`${head(request)}part`);
      await front({ lane });
      const client = await asked(text);
      await fixture.front.close(0);
      await client.untilClosed();
      expect(client.ending).toBe('reset');
    });

    it('that ends with its connection is reset when the client reads no more of it', async () => {
      stage.answer = (request) => {
        request.socket.write(head(request));
        request.socket.write(Buffer.alloc(40_000_000));
      };
      await front({ lane, limits: { idleTimeoutMs: 300 } });
      const client = fixture.connect();
      client.socket.pause();
      client.send(text);
      await eventually(() => fixture.front.stats.connections === 1);
      await eventually(() => fixture.front.stats.connections === 0);
      client.socket.resume();
      await client.untilClosed();
      expect(client.received.length).toBeLessThan(40_000_000);
      expect(client.ending).toBe('reset');
    });
  });

  it.each(requests.slice(0, 2))(
    'chunks to %s have no last one where they were cut',
    async (_name, text) => {
      stage.answer = (request) => {
        request.socket.write(`${head(request, 'Transfer-Encoding: chunked\r\n')}4\r\npart`);
        setTimeout(() => request.socket.end(), 30);
      };
      await front({ lane });
      const client = fixture.connect();
      client.send(text);
      expect(await client.untilClosed()).toMatch(/\r\n4\r\npart(\r\n)?$/);
    },
  );
});

describe('an answer to a request that was piped raw', () => {
  const raw = 'GET /2,02 HTTP/1.1\nHost: a\n\n';

  const ends: readonly (readonly ['reset' | 'end', (socket: Socket) => void])[] = [
    ['reset', (socket) => void socket.resetAndDestroy()],
    ['end', (socket) => void socket.end()],
  ];

  it.each(ends)(
    'has the %s that the volume server gave it',
    async (ending, end) => {
      stage.answer = (request) => {
        request.socket.write(`${head(request)}part`);
        setTimeout(() => end(request.socket), 30);
      };
      await front();
      const client = await asked(raw);
      await client.untilClosed();
      expect(client.ending).toBe(ending);
      // The client keeps its half open: the proxy waits for lingerMs.
      await eventually(() => fixture.front.stats.rawPipesOpen === 0, 2 * lingerMs);
    },
    20_000,
  );

  it('is reset when neither side moves any more', async () => {
    stage.answer = (request) => void request.socket.write(`${head(request)}part`);
    await front({ limits: { upstreamTimeoutMs: 300 } });
    const client = await asked(raw);
    await client.untilClosed();
    expect(client.ending).toBe('reset');
  });
});

it('an answer that ends with its connection is whole to a client that reads it late', async () => {
  const body = 'x'.repeat(3_000_000);
  stage.answer = (request) => void request.socket.end(head(request) + body);
  await front();
  const client = fixture.connect();
  client.socket.pause();
  client.send(requests[0]?.[1] as string);
  await pause(300);
  client.socket.resume();
  await client.untilClosed();
  expect(client.received.endsWith(`\r\n\r\n${body}`)).toBe(true);
  expect(client.ending).toBe('end');
});
