/** Passed requests over the relay: bodies both ways, connections to the volume server, and what goes wrong with them. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixture, front, get, stage, upstream } from './front-stage.ts';
import { eventually, needleAnswer, ok, passed } from './http-front-fixture.ts';
import { UploadSink } from './upload-sink.ts';

const put = (target: string, body: string): string =>
  `PUT ${target} HTTP/1.1\r\nHost: a\r\nX:  y \r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked =
  'HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n' +
  '3;x="y"\r\nabc\r\nA\r\n\r\n0\r\n\r\nGET\r\n0\r\nT: 1\r\nt:2\r\n\r\n';

/** Sends piece by piece, in packets of their own as far as that can be had. */
async function sendInPieces(socket: Socket, bytes: Buffer, pieceBytes: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await new Promise((resolve) => {
      socket.write(bytes.subarray(at, at + pieceBytes), () => setImmediate(resolve));
    });
  }
}

describe('bytes', () => {
  it('of a request go on as they came, wherever it is cut, and the next one follows', async () => {
    await front();
    const request = Buffer.from(put('/1,01', 'hello'));
    let answers = '';
    for (let pieceBytes = 1; pieceBytes <= request.length; pieceBytes += 3) {
      const client = fixture.connect();
      await sendInPieces(client.socket, Buffer.concat([request, request]), pieceBytes);
      answers = await client.until((text) => text.length >= 2 * ok.length);
      expect(answers).toBe(ok + ok);
      client.socket.destroy();
    }
    const head = request.toString().slice(0, -5);
    expect(new Set(upstream.received.map((each) => each.head + each.body))).toEqual(
      new Set([`${head}hello`]),
    );
  });

  it.each([
    ['a length', `HTTP/1.1 201 Created\r\nX:y\r\ncontent-length:  12 \r\nE:\r\n\r\nhello, world`],
    ['chunks and trailers', chunked],
    ['interim answers before it', `HTTP/1.1 102 P\r\nA: b\r\n\r\nHTTP/1.1 100 C\r\n\r\n${ok}`],
  ])('of an answer with %s go on as they came, wherever it is cut', async (_name, bytes) => {
    let pieceBytes = 1;
    stage.answer = ({ socket }) => void sendInPieces(socket, Buffer.from(bytes), pieceBytes);
    await front();
    const expected = bytes.slice(bytes.lastIndexOf('HTTP/1.1'));
    for (; pieceBytes <= bytes.length; pieceBytes += 7) {
      const client = fixture.connect();
      client.send(get('/a') + get('/b'));
      await client.until((text) => text.length >= 2 * expected.length);
      expect(client.received).toBe(expected + expected);
      client.socket.destroy();
    }
    expect(upstream.accepted()).toBe(1);
  });

  it('of chunks are counted without their framing', async () => {
    stage.answer = ({ socket }) => void socket.write(chunked);
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text === chunked);
    expect(fixture.records[0]).toMatchObject({ outcome: 'passthrough', bodyBytes: 13 });
  });

  it('of broken chunks cut the connection', async () => {
    const start = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
    stage.answer = ({ socket }) => {
      socket.write(start);
      setTimeout(() => socket.write('nonsense\r\n0\r\n\r\n'), 20);
    };
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.untilClosed()).toBe(start);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'off' });
  });

  it('of an interim answer alone are kept from the client', async () => {
    stage.answer = ({ socket }) => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      setTimeout(() => socket.write(ok.slice(0, 7)), 20);
      setTimeout(() => socket.write(ok.slice(7)), 40);
    };
    await front();
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.until((text) => text.length >= ok.length)).toBe(ok);
  });
});

describe('large bodies', () => {
  let sink: UploadSink;
  beforeEach(async () => {
    sink = await UploadSink.start();
  });
  afterEach(() => sink.close());

  it.each([
    ['1 MiB', 1],
    ['64 MiB', 64],
  ])('of %s are uploaded to a slow reader, and not read ahead of it', async (_name, mebibytes) => {
    await front({ upstreamUrl: sink.url });
    const body = Buffer.alloc(mebibytes * 1_048_576, 'seaweed');
    const client = fixture.connect();
    client.send(`PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    sink.isPaused = true;
    client.send(body);
    client.send(get('/b'));
    await eventually(() => sink.sockets.size === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Kernel buffers take some MiB at most on either side; all of it they do not.
    if (mebibytes === 64)
      expect(client.socket.bytesWritten - client.socket.writableLength).toBeLessThan(
        48 * 1_048_576,
      );
    sink.resume();
    expect(await client.until((text) => text.length >= 2 * ok.length)).toBe(ok + ok);
    expect(sink.uploads[0]).toEqual({
      bytes: body.length,
      sha256: createHash('sha256').update(body).digest('hex'),
    });
  });

  it.each([
    ['1 MiB', 1],
    ['64 MiB', 64],
  ])(
    'of %s are downloaded by a slow reader, and not read ahead of it',
    async (_name, mebibytes) => {
      const body = Buffer.alloc(mebibytes * 1_048_576, 'seaweed');
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
      let source: Socket | undefined;
      stage.answer = ({ socket }) => {
        source = socket;
        socket.write(head);
        socket.write(body);
      };
      await front();
      const client = fixture.connect();
      client.socket.pause();
      client.send(get('/a'));
      await eventually(() => source !== undefined);
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (mebibytes === 64) expect(source?.writableLength).toBeGreaterThan(0);
      const hash = createHash('sha256');
      let bytes = 0;
      client.socket.removeAllListeners('data');
      client.socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      client.socket.resume();
      await eventually(() => bytes === head.length + body.length, 20_000);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(head).update(body).digest('hex'));
      expect(upstream.sockets.size).toBe(1);
    },
  );
});

describe('reads and writes on one connection', () => {
  it('are answered in order, from here and from the volume server', async () => {
    stage.answer = ({ socket, head, body }) => {
      const text = `${head.split(' ')[1]} ${body}`;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    };
    await front({
      serve: ({ method, target }) =>
        method === 'GET' && target.startsWith('/1,')
          ? needleAnswer(Buffer.from(`${target} here`))
          : passed(upstream.url),
    });
    const client = fixture.connect();
    let requests = '';
    const expected: string[] = [];
    for (let i = 0; i < 30; i += 1) {
      requests += get(`/1,${i}`) + put(`/2,${i}`, 'b'.repeat(i)) + get(`/status?${i}`);
      // Node's way, in between.
      requests += `PUT /3,${i} HTTP/1.1\r\nHost: a\r\nConnection: X-Y\r\nContent-Length: 1\r\n\r\nx`;
      expected.push(`/1,${i} here`, `/2,${i} ${'b'.repeat(i)}`, `/status?${i} `, `/3,${i} x`);
    }
    client.send(requests);
    await client.until((text) => text.split('HTTP/1.1 200 OK').length > expected.length);
    await eventually(() => fixture.records.length === expected.length);
    const bodies = client.received.split('HTTP/1.1 200 OK').slice(1);
    expect(bodies.map((each) => each.split('\r\n\r\n')[1])).toEqual(expected);
    expect(fixture.front.stats.requestsInFlight).toBe(0);
  });

  it('keep Connection: keep-alive and close from the volume server', async () => {
    await front();
    const client = fixture.connect();
    client.send('GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: y\r\n\r\n');
    await client.until((text) => text === ok);
    client.send('GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const closing = ok.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    expect(await client.untilClosed()).toBe(ok + closing);
    expect(upstream.received.map(({ head }) => head)).toEqual([
      'GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n',
      'GET /b HTTP/1.1\r\nHost: a\r\n\r\n',
    ]);
    expect(upstream.accepted()).toBe(1);
  });
});
