/** A volume server that says nothing, stops in its answer, or does not take the connection: by relay and framework alike. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { fixture, front, get, stage, upstream } from './front-stage.ts';
import { eventually } from './http-front-fixture.ts';

const chunkedHead = 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const soon = { upstreamConnectTimeoutMs: 300, upstreamTimeoutMs: 300 };

/** Listens and accepts nothing: its thread tells its port and sleeps. */
const deaf = `
const { createServer } = require('node:net');
const { parentPort } = require('node:worker_threads');
const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

/** Fills the queue of a listener that accepts nothing; the connection after these is never made. */
async function fillQueue(port: number): Promise<Socket[]> {
  const fillers: Socket[] = [];
  for (;;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    fillers.push(socket);
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      // On a busy machine the timer may be late, and this thread may learn of the connection only after it.
      setTimeout(() => setImmediate(() => resolve(false)), 200);
    });
    if (!isConnected) return fillers;
  }
}

describe.each([
  ['the relay', true],
  ['the framework', false],
] as const)('by %s', (_name, lane) => {
  it('silence is 504 after limits.upstream_timeout', async () => {
    stage.answer = () => undefined;
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text.includes('504 Gateway Timeout'));
    await eventually(() => fixture.records.length === 1);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'upstream-down' });
  });

  it('framing that drips is silence: the answer is cut off', async () => {
    stage.answer = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;');
      const drip = setInterval(() => socket.write('x'), 100).unref();
      socket.on('close', () => clearInterval(drip));
    };
    await front({ lane, limits: { ...soon, upstreamTimeoutMs: 1_000 } });
    const client = fixture.connect();
    client.send(get('/a'));
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it.each([
    ['a read', get('/a')],
    ['a chunked upload that has ended', `${chunkedHead}1\r\na\r\n0\r\n\r\n`],
  ])('%s waits for one limits.upstream_timeout, not for two', async (_name, request) => {
    stage.answer = () => undefined;
    await front({ lane, limits: { ...soon, upstreamTimeoutMs: 3_000 } });
    const client = fixture.connect();
    const sentAt = performance.now();
    client.send(request);
    await client.until((text) => text.includes('504 Gateway Timeout'));
    const waitedMs = performance.now() - sentAt;
    expect(waitedMs).toBeGreaterThan(2_900);
    expect(waitedMs).toBeLessThan(5_000);
  });

  it.each([
    ['in chunks', chunkedHead, '1\r\nx\r\n', '0\r\n\r\n'],
    ['of a known length', 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n', 'x', ''],
  ])('an upload %s that comes slowly is no silence', async (_name, head, piece, end) => {
    await front({ lane, limits: { ...soon, upstreamTimeoutMs: 1_000 } });
    const client = fixture.connect();
    client.send(head);
    for (let sent = 0; sent < 12; sent += 1) {
      await pause(200);
      client.send(piece);
    }
    client.send(end);
    await client.until((text) => text.includes('200 OK'));
    expect(upstream.received[0]?.body).toBe('x'.repeat(12));
  });

  it('silence behind the start of an answer cuts the connection, and nothing is padded', async () => {
    const start = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc';
    stage.answer = ({ socket }) => void socket.write(start);
    await front({ lane, limits: soon });
    const client = fixture.connect();
    client.send(get('/a'));
    const received = await client.untilClosed();
    expect(received).toContain('200 OK');
    expect(received.endsWith('abc')).toBe(true);
  });

  it('an answer that comes slowly is no silence', async () => {
    stage.answer = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n');
      let left = 12;
      const drip = setInterval(() => {
        socket.write('x');
        left -= 1;
        if (left === 0) clearInterval(drip);
      }, 100);
    };
    await front({ lane, limits: { ...soon, upstreamTimeoutMs: 600 } });
    const client = fixture.connect();
    client.send(get('/a'));
    await client.until((text) => text.endsWith('x'.repeat(12)));
  });

  it.each([
    ['100 Continue', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['103 Early Hints', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['a head that never ends', 'HTTP/1.1 200 OK\r\n'],
  ])('%s that drips is no answer: 504', async (_name, first) => {
    const drips: NodeJS.Timeout[] = [];
    stage.answer = ({ socket }) => {
      socket.write(first);
      const next = first.includes(' 200 ') ? 'X: y\r\n' : first;
      drips.push(setInterval(() => socket.write(next), 50));
    };
    await front({ lane, limits: { ...soon, upstreamTimeoutMs: 600 } });
    const client = fixture.connect();
    client.send(get('/a'));
    try {
      await client.until((text) => text.includes('504 Gateway Timeout'));
      await eventually(() => fixture.records.length === 1);
      expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'upstream-down' });
    } finally {
      for (const drip of drips) clearInterval(drip);
    }
  });

  it('a connection that is not taken is 504 after limits.upstream_connect_timeout', async () => {
    const worker = new Worker(deaf, { eval: true });
    const port = await new Promise<number>((resolve) => worker.once('message', resolve));
    const fillers = await fillQueue(port);
    try {
      await front({
        lane,
        limits: { ...soon, upstreamTimeoutMs: 60_000 },
        upstreamUrl: `http://127.0.0.1:${port}`,
      });
      const client = fixture.connect();
      client.send(get('/a'));
      await client.until((text) => text.includes('504 Gateway Timeout'));
      expect(upstream.accepted()).toBe(0);
    } finally {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    }
  });
});
