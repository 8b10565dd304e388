/** What a volume server may answer to the sidecar, and what becomes of it: never bytes that were not asked for. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { VolumeServers } from '../../src/proxy/sidecar/volume-server-read.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const bytes = Buffer.from('0123456789abcdef');
let server: Server;
let url: string;
let handler: Handler;
const volumeServers = new VolumeServers(12, 300);

beforeAll(async () => {
  server = createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  volumeServers.close();
  server.closeAllConnections();
  server.close();
});

function read(
  offset: number,
  size: number | undefined,
  signal = new AbortController().signal,
): ReturnType<VolumeServers['read']> {
  const authorization = 'Bearer abc';
  return volumeServers.read({ url, fid: '3,01637037d6', offset, size, authorization, signal });
}

/** Always with this answer. */
function answers(status: number, headers: Record<string, string>, body: Buffer | string): void {
  handler = (_request, response) => response.writeHead(status, headers).end(body);
}

describe('a volume server that', () => {
  test('honours ranges is asked for one, undecoded codings excluded', async () => {
    let seen: IncomingMessage | undefined;
    handler = (request, response) => {
      seen = request;
      response.writeHead(206, { 'Content-Range': 'bytes 4-7/16' }).end(bytes.subarray(4, 8));
    };
    const found = await read(4, 4);
    expect(found).toEqual({ kind: 'bytes', bytes: bytes.subarray(4, 8), totalBytes: 16 });
    expect(seen?.url).toBe('/3,01637037d6');
    expect(seen?.headers).toMatchObject({
      range: 'bytes=4-7',
      'accept-encoding': 'identity',
      authorization: 'Bearer abc',
    });
  });

  test('gives the rest where the range crosses the end', async () => {
    answers(206, { 'Content-Range': 'bytes 12-15/16' }, bytes.subarray(12));
    expect(await read(12, 8)).toMatchObject({ kind: 'bytes', bytes: bytes.subarray(12) });
  });

  test('says much about an error is quoted up to a bound', async () => {
    answers(404, {}, `it is gone ${'x'.repeat(5000)}`);
    const found = await read(0, 1);
    expect(found).toMatchObject({ kind: 'refused', status: 404 });
    expect(JSON.stringify(found)).toContain('it is gone xxx');
    expect(JSON.stringify(found).length).toBeLessThan(1_400);
  });

  test('closes an idle connection as the next request comes is asked again', async () => {
    const asked = new Map<unknown, number>();
    handler = ({ socket }, response) => {
      const count = (asked.get(socket) ?? 0) + 1;
      asked.set(socket, count);
      if (count > 1) socket.resetAndDestroy();
      else response.writeHead(206, { 'Content-Range': 'bytes 0-3/16' }).end(bytes.subarray(0, 4));
    };
    for (let i = 0; i < 3; i += 1) {
      expect(await read(0, 4)).toMatchObject({ kind: 'bytes', totalBytes: 16 });
    }
    expect(asked.size).toBeGreaterThan(1);
  });

  test('gives the whole is cut here', async () => {
    answers(200, {}, bytes.subarray(0, 10));
    expect(await read(2, 3)).toMatchObject({ bytes: bytes.subarray(2, 5), totalBytes: 10 });
    expect(await read(0, undefined)).toMatchObject({ bytes: bytes.subarray(0, 10) });
    expect(await read(10, 1)).toMatchObject({ kind: 'refused', status: 416 });
  });

  test.each([
    ['with a length', { 'Content-Length': '10' }],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
  ])('gives the whole %s takes no more memory than was asked for', async (_name, headers) => {
    answers(200, headers, bytes.subarray(0, 10));
    for (const [offset, size] of [
      [0, 1],
      [2, 3],
      [9, 1],
      [8, 12],
    ] as const) {
      const found = await read(offset, size);
      expect(found).toMatchObject({ bytes: bytes.subarray(offset, Math.min(offset + size, 10)) });
      const held = found.kind === 'bytes' ? found.bytes.buffer.byteLength : Infinity;
      expect(held).toBeLessThanOrEqual(size);
    }
  });

  test.each<[string, number, Record<string, string>, string, number, number | undefined, number]>([
    ['has no such needle', 404, {}, 'gone', 0, 1, 404],
    ['wants a token', 401, {}, '', 0, 1, 401],
    ['says the range is past the end', 416, { 'Content-Range': 'bytes */16' }, '', 20, 1, 416],
    ['sends elsewhere', 301, { Location: 'http://elsewhere/' }, '', 0, 1, 502],
    ['fails', 500, {}, 'disk', 0, 1, 502],
    ['sends another range', 206, { 'Content-Range': 'bytes 0-3/16' }, '0123', 4, 4, 502],
    ['sends a range without saying which', 206, {}, '4567', 4, 4, 502],
    ['sends fewer bytes than it says', 206, { 'Content-Range': 'bytes 4-6/16' }, '456', 4, 4, 502],
    ['sends a coding', 200, { 'Content-Encoding': 'gzip' }, 'zip', 0, 3, 502],
    ['sends more than a read gets', 200, {}, '0123456789abcdef', 0, undefined, 413],
    ['has more than a read gets', 206, { 'Content-Range': 'bytes 0-12/16' }, '', 0, 16, 413],
  ])('%s', async (_name, status, headers, body, offset, size, expected) => {
    answers(status, headers, body);
    expect(await read(offset, size)).toMatchObject({ kind: 'refused', status: expected });
  });

  test('breaks off in the middle', async () => {
    handler = (_request, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 0-3/16', 'Content-Length': '4' });
      response.write('01', () => response.destroy());
    };
    expect(await read(0, 4)).toMatchObject({ kind: 'refused', status: 502, reason: 'upstream' });
  });

  test('says nothing is waited for so long, and no longer', async () => {
    handler = () => undefined;
    expect(await read(0, 4)).toMatchObject({
      status: 504,
      reason: 'deadline',
      message: expect.stringContaining('sidecar.http_timeout'),
    });
  });

  test('is not there', async () => {
    const nobody = { url: 'http://127.0.0.1:1', fid: '3,01', offset: 0, size: 1 };
    const { signal } = new AbortController();
    const found = await volumeServers.read({ ...nobody, authorization: undefined, signal });
    expect(found).toMatchObject({ status: 502, message: expect.stringContaining('ECONNREFUSED') });
  });

  test('is let go when the client has gone', async () => {
    const gone = new AbortController();
    const closed = new Promise<void>((resolve) => {
      handler = (request) => {
        request.socket.once('close', () => resolve());
        gone.abort();
      };
    });
    expect(await read(0, 4, gone.signal)).toMatchObject({ kind: 'refused' });
    await closed;
  });
});

const head = (lines: string, version = '1.1'): string =>
  `HTTP/${version} 206 Partial Content\r\nContent-Range: bytes 0-4/5\r\n${lines}\r\n\r\n`;
const chunks = '5\r\nhello\r\n0\r\n\r\n';
const chunked = 'Transfer-Encoding: chunked';
const whole = head('Content-Length: 5');
const invalid = { kind: 'refused', status: 502, reason: 'upstream' };

/** A volume server in its own bytes. */
describe('an answer', () => {
  let rawServer: Server | ReturnType<typeof createTcpServer>;
  let rawUrl: string;
  let answered: (socket: Socket, count: number) => void;
  const sockets: Socket[] = [];
  let servers: VolumeServers;

  beforeAll(async () => {
    rawServer = createTcpServer((socket) => {
      let count = 0;
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => {
        count += 1;
        answered(socket, count);
      });
    });
    await once(rawServer.listen(0, '127.0.0.1'), 'listening');
    rawUrl = `http://127.0.0.1:${(rawServer.address() as AddressInfo).port}`;
  });

  beforeEach(() => {
    servers = new VolumeServers(12, 2_000);
  });

  afterEach(() => servers.close());

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    rawServer.close();
  });

  const ask = (size = 5): ReturnType<VolumeServers['read']> => {
    const { signal } = new AbortController();
    const read = { url: rawUrl, fid: '3,01', offset: 0, size, authorization: undefined, signal };
    return servers.read(read);
  };

  test.each([
    ['a length', `${whole}hello`],
    ['two equal lengths', `${head('Content-Length: 5\r\nContent-Length: 5')}hello`],
    ['chunks', `${head(chunked)}${chunks}`],
    ['chunks behind a tab', `${head('Transfer-Encoding:\tchunked')}${chunks}`],
    ['a length in HTTP/1.0', `${head('Content-Length: 5', '1.0')}hello`],
    ['interim answers before it', `HTTP/1.1 103 Early Hints\r\n\r\n${whole}hello`],
  ])('with %s gives its bytes', async (_name, text) => {
    answered = (socket) => void socket.write(text);
    expect(await ask()).toMatchObject({ kind: 'bytes', bytes: Buffer.from('hello') });
  });

  test.each([
    ['two codings', `${head(`${chunked}\r\n${chunked}`)}${chunks}`],
    ['a list of codings', `${head('Transfer-Encoding: chunked, chunked')}${chunks}`],
    ['a coding before chunks', `${head('Transfer-Encoding: gzip, chunked')}${chunks}`],
    ['an unknown coding', `${head('Transfer-Encoding: xchunked')}${chunks}`],
    ['a quoted coding', `${head('Transfer-Encoding: "chunked"')}${chunks}`],
    ['a length and chunks', `${head(`Content-Length: 5\r\n${chunked}`)}${chunks}`],
    ['chunks in HTTP/1.0', `${head(chunked, '1.0')}${chunks}`],
    ['two lengths', `${head('Content-Length: 5\r\nContent-Length: 6')}hello`],
    ['another version', `${head('Content-Length: 5', '1.2')}hello`],
    ['a bare line feed', `${head('X: a\nContent-Length: 5')}hello`],
    ['broken chunks', `${head(chunked)}5\r\nhelloXX\r\n0\r\n\r\n`],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
    ['no end of its own', `${head('X: y')}hello`],
  ])('with %s is refused', async (_name, text) => {
    answered = (socket) => void socket.end(text);
    expect(await ask()).toMatchObject(invalid);
  });

  test.each([
    ['end', `${whole}hel`, (socket: Socket) => void socket.end()],
    ['reset', `${whole}hel`, (socket: Socket) => void socket.resetAndDestroy()],
    ['end in its chunks', `${head(chunked)}5\r\nhel`, (socket: Socket) => void socket.end()],
    [
      'reset without a length',
      `${head('X: y')}hello`,
      (socket: Socket) => void socket.resetAndDestroy(),
    ],
  ])('that is cut by its %s is refused', async (_name, text, ends) => {
    answered = (socket) => {
      socket.write(text);
      setTimeout(() => ends(socket), 20);
    };
    expect(await ask(12)).toMatchObject(invalid);
  });

  test.each([0, 2, 60])(
    'that comes unasked %d ms behind another is not the next one’s',
    async (ms) => {
      const stray = `${whole}stray`;
      answered = (socket, count) => {
        if (count > 1) return void socket.write(`${whole}stale`);
        if (ms === 0) return void socket.write(`${whole}hello${stray}`);
        socket.write(`${whole}hello`);
        setTimeout(() => socket.write(stray), ms);
      };
      const from = sockets.length;
      expect(await ask()).toMatchObject({ bytes: Buffer.from('hello') });
      await pause(ms * 2);
      expect(await ask()).toMatchObject({ bytes: Buffer.from('hello') });
      expect(sockets.length).toBe(from + 2);
    },
  );

  const manyMax = 400_000;

  /** `count` chunks of these bytes, asked for whole. */
  const askForChunks = async (chunk: string, count: number): ReturnType<VolumeServers['read']> => {
    const size = chunk.length * count;
    const framed = `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    const range = `Content-Range: bytes 0-${size - 1}/${size}`;
    const start = `HTTP/1.1 206 Partial Content\r\n${range}\r\n${chunked}\r\n\r\n`;
    answered = (socket) => void socket.write(`${start}${framed.repeat(count)}0\r\n\r\n`);
    const { signal } = new AbortController();
    const many = new VolumeServers(manyMax, 5_000);
    const read = { url: rawUrl, fid: '3,01', offset: 0, size, authorization: undefined, signal };
    return many.read(read).finally(() => many.close());
  };

  // Each of them became a Buffer: 16 MiB took 1 GB, and held the event loop for seconds.
  test('in chunks of one byte each is refused before all of them are read', async () => {
    expect(await askForChunks('x', manyMax)).toMatchObject({
      ...invalid,
      message: 'the volume server cut its answer into too many chunks',
    });
  });

  test('in many short chunks gives its bytes, in one buffer', async () => {
    const line = '0123456789'.repeat(8);
    const found = await askForChunks(line, manyMax / line.length);
    const wanted = Buffer.from(line.repeat(manyMax / line.length));
    expect(found.kind === 'bytes' && found.bytes.equals(wanted)).toBe(true);
  });

  test('keeps its connection for the next request', async () => {
    answered = (socket) => void socket.write(`${whole}hello`);
    await ask();
    const from = sockets.length;
    for (let i = 0; i < 3; i += 1) await ask();
    expect(sockets.length).toBe(from);
  });
});
