import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { ConnectionBounds } from './connection-bounds.ts';
import { Turnstile } from './turnstile.ts';

let server: Server;
/** More than a connection may have unread before its next request. */
const largeBytes = 12_000_000;

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function bounded(restMsMax: number, probeConnectionsMax = 0): Promise<number> {
  server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (request.url === '/large') response.end(Buffer.alloc(largeBytes));
      else if (request.url === '/later') setTimeout(() => response.end('/later\n'), 50);
      else if (request.url !== '/held') response.end(`${request.url}\n`);
    });
  });
  const limits = {
    connectionsMax: 10,
    connectionsPerAddressMax: 10,
    probeConnectionsMax,
    requestsPerConnectionMax: 16,
  };
  new ConnectionBounds(server, limits, {
    turnstile: new Turnstile(5),
    restMsMax,
    requestMsMax: 3_000,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('blank lines do not keep a connection longer than a rest, and the time for a request begins with its first byte', async () => {
  const socket = connect(await bounded(500), '127.0.0.1');
  socket.on('error', () => undefined).resume();
  socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  const drip = setInterval(() => socket.write('\r\n'), 50);
  const begunMs = performance.now();
  await once(socket, 'close');
  clearInterval(drip);
  expect(performance.now() - begunMs).toBeLessThan(2_500);
  const late = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  let came = '';
  late.setEncoding('latin1').on('data', (text: string) => {
    came += text;
  });
  late.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  await pause(300);
  late.write('GET /late HTTP/1.1\r\n');
  await pause(2_000);
  late.end('Host: a\r\n\r\n');
  await once(late, 'close');
  expect(came).toContain('/late');
}, 10_000);

test('a request whose expectation is not met ends its connection', async () => {
  const socket = connect(await bounded(10_000), '127.0.0.1');
  let came = '';
  socket.on('error', () => undefined).setEncoding('latin1');
  socket.on('data', (text: string) => {
    came += text;
  });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n');
  await once(socket, 'close');
  expect(came).toMatch(/^HTTP\/1.1 417 .*\r\nConnection: close\r\n/s);
}, 5_000);

test('a connection that came just now makes no place for a newcomer before its bytes can have been read', async () => {
  const port = await bounded(10_000, 1);
  const busy = Array.from({ length: 9 }, () => connect(port, '127.0.0.1'));
  for (const each of busy) {
    each.on('error', () => undefined);
    each.write('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  await pause(100);
  const probe = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
  await once(probe, 'connect');
  const newcomer = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.3' });
  newcomer.on('error', () => undefined);
  await once(newcomer, 'connect');
  probe.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = await once(probe.setEncoding('latin1'), 'data');
  expect(answer).toContain('200 OK');
  newcomer.write('GET /newcomer HTTP/1.1\r\nHost: a\r\n\r\n');
  const [other] = await once(newcomer.setEncoding('latin1'), 'data');
  expect(other).toContain('200 OK');
  for (const each of [...busy, probe, newcomer]) each.destroy();
});

test('requests, bodies and answers are whole, however they are cut', async () => {
  const socket = connect(await bounded(10_000), '127.0.0.1');
  let came = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    came += text;
  });
  const head = (path: string, length: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
  const text = ['/a', '/b', '/c'].map((path) => head(path, 5_000) + 'x'.repeat(5_000)).join('');
  for (let at = 0; at < text.length; at += 777) {
    socket.write(text.slice(at, at + 777));
    await pause(1);
  }
  socket.end('GET /last HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'close');
  expect(came.match(/\n\/\w+\n|\r\n\/\w+\n/g)?.map((line) => line.trim())).toEqual([
    '/a',
    '/b',
    '/c',
    '/last',
  ]);
});

test.each([
  ['that comes later', '/later', 1],
  ['each of a pipeline', '/later', 5],
  ['each of a pipeline that is large', '/large', 4],
])('a client that has ended its side gets its answer, %s', async (_, path, count) => {
  const socket = connect(await bounded(10_000), '127.0.0.1');
  let answers = 0;
  let bytes = 0;
  socket.on('data', (came: Buffer) => {
    bytes += came.length;
    answers += came.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  socket.end(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
  await once(socket, 'close');
  expect(answers).toBe(count);
  if (path === '/large') expect(bytes).toBeGreaterThan(count * largeBytes);
});
