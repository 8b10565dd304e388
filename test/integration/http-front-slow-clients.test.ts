/**
 * Bodies that dripped, and heads that were piped raw byte by byte, lasted as long as the client liked: every byte was
 * progress.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { fixture, front, get, stage, upstream } from './front-stage.ts';
import { eventually, ok, type RawClient } from './http-front-fixture.ts';

const timers: NodeJS.Timeout[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function drip(client: RawClient, text: string, everyMs = 20): void {
  timers.push(setInterval(() => client.send(text), everyMs));
}

const soon = { bodyTimeoutMs: 300, bodyBytesMin: 1_000 };
const put = 'PUT /1,01 HTTP/1.1\r\nHost: a\r\n';

describe.each([true, false])('with the lane %s', (lane) => {
  it.each([
    ['counted', 'Content-Length: 100000\r\n\r\n', 'x'],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ])('a %s body that drips is ended', async (_, rest, piece) => {
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(put + rest);
    drip(client, piece);
    expect(await client.untilClosed()).toBe('');
    expect(fixture.front.stats.bodyTimeouts).toBe(1);
    await eventually(() => fixture.front.stats.requestsInFlight === 0);
  });

  it.each([
    ['counted', 'Content-Length: 100000\r\n\r\n', 'x'],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ])('a %s body that drips and waits for no 100 Continue is ended', async (_, rest, piece) => {
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(`${put}Expect: 100-continue\r\n${rest}`);
    drip(client, piece);
    expect(await client.untilClosed()).toBe('');
    expect(fixture.front.stats.bodyTimeouts).toBe(1);
    await eventually(() => fixture.front.stats.requestsInFlight === 0);
  });

  it('a body that stops behind its first byte is ended, though no 100 Continue came', async () => {
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(`${put}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nx`);
    expect(await client.untilClosed()).toBe('');
    expect(fixture.front.stats.bodyTimeouts).toBe(1);
  });

  it('a body that never comes is ended', async () => {
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(`${put}Content-Length: 5\r\n\r\n`);
    expect(await client.untilClosed()).toBe('');
    expect(fixture.front.stats.bodyTimeouts).toBe(1);
  });

  it('a slow body that brings enough at a time goes through', async () => {
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(`${put}Content-Length: 3000\r\n\r\n`);
    for (let sent = 0; sent < 3_000; sent += 300) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      client.send('x'.repeat(300));
    }
    await client.until((text) => text === ok);
  });

  it('a client that waits for 100 Continue is not hurried', async () => {
    stage.answer = ({ socket }) => void socket.write(ok);
    const slow = await hesitant((socket) => {
      setTimeout(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 900);
      socket.on('data', (bytes) => {
        if (bytes.includes('body!')) socket.write(ok);
      });
    });
    await front({ lane, limits: soon, upstreamUrl: slow });
    const client = fixture.connect();
    client.send(`${put}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('body!');
    await client.until((text) => text.endsWith(ok));
    expect(fixture.front.stats.bodyTimeouts).toBe(0);
  });

  it('an upload that the volume server takes slowly is not ended', async () => {
    const slow = await hesitant((socket) => {
      let bytes = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 1_200);
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes >= bodyBytes) socket.write(ok);
      });
    });
    await front({ lane, limits: soon, upstreamUrl: slow });
    const client = fixture.connect();
    client.send(`${put}Content-Length: ${bodyBytes}\r\n\r\n`);
    client.send(Buffer.alloc(bodyBytes));
    await client.until((text) => text === ok);
    expect(fixture.front.stats.bodyTimeouts).toBe(0);
  });
});

it('what comes on a raw pipe waits with the client while the volume server takes none of it', async () => {
  const stuck = await hesitant((socket) => socket.pause());
  await front({ upstreamUrl: stuck });
  const client = fixture.connect();
  client.send('GET /1,01 HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n');
  // A little in each turn: the proxy reads it in as many turns, never much at once.
  const piece = Buffer.alloc(16_384);
  for (let sent = 0; sent < 2 * bodyBytes; sent += piece.length) {
    client.send(piece);
    await nextTurn();
  }
  const left = client.socket.writableLength;
  await pause(300);
  expect(client.socket.writableLength).toBeGreaterThan(bodyBytes);
  expect(client.socket.writableLength).toBeGreaterThan(0.9 * left);
});

const bodyBytes = 40_000_000;

/** A volume server that does as `behave` says. */
async function hesitant(behave: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    behave(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe('heads', () => {
  it.each([
    ['HTTP/1.0', true, 'GET /1,01 HTTP/1.0\r\nX: '],
    ['HTTP/1.0 that is piped raw', false, 'GET /1,01 HTTP/1.0\r\nX: '],
    ['with a bare line feed', true, 'GET /1,01 HTTP/1.1\nX: '],
  ])('%s, byte by byte, are ended', async (_, lane, start) => {
    stage.answer = () => undefined;
    await front({ lane, limits: { ...soon, headTimeoutMs: 300 } });
    const client = fixture.connect();
    client.send(start);
    drip(client, 'y');
    await client.untilClosed();
    const { headTimeouts, bodyTimeouts } = fixture.front.stats;
    expect(headTimeouts + bodyTimeouts).toBe(1);
  });
});

describe('a raw pipe', () => {
  const raw = get('/1,01').replaceAll('\r\n', '\n');

  it('waits for a slow answer, and is closed when neither side says anything', async () => {
    const slow = await hesitant((socket) => {
      setTimeout(() => socket.write('late'), 700);
    });
    await front({ limits: { ...soon, upstreamTimeoutMs: 1_000 }, upstreamUrl: slow });
    const client = fixture.connect();
    client.send(raw.slice(0, -1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.send('\n');
    await client.until((text) => text === 'late');
    await client.untilClosed();
    await eventually(() => fixture.front.stats.rawPipesOpen === 0);
    expect(upstream.received).toEqual([]);
  });
});
