/** The relay's pool: bytes that came behind an answer while no request looked at the socket, and its memory. */
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import {
  freeAtOnce,
  type PoolUser,
  ReadMemory,
  type UpstreamConnection,
  UpstreamPool,
} from './upstream-pool.ts';

/** In a thread of its own, so that it goes on while this one does not. Answers, and says more than it was asked. */
const server = `
const { parentPort, workerData } = require('node:worker_threads');
const { createServer } = require('node:net');
const sockets = new Set();
let accepted = 0;
createServer((socket) => {
  accepted += 1;
  const isFirst = accepted === 1;
  socket.setNoDelay();
  socket.on('error', () => undefined);
  socket.on('data', () => {
    socket.write('answer');
    if (isFirst) setTimeout(() => socket.write('stray', () => Atomics.store(workerData, 0, 1)), 5);
  });
}).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });
`;
/** For the kernel to have brought it, once the server's thread has sent the stray. */
const busyMs = 20;

class User implements PoolUser {
  readonly received: PoolUser['received'];
  constructor(received: (text: string) => void) {
    this.received = (bytes) => {
      received(bytes.toString('latin1'));
      return true;
    };
  }

  connection: UpstreamConnection | undefined;

  given(connection: UpstreamConnection): void {
    this.connection = connection;
    connection.write(Buffer.from('request'));
  }

  writable(): void {}
  upstreamGone(): void {}
  tick(): void {}
}

it('end the connection: a request that waits for one gets another', async () => {
  const isStraySent = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(server, { eval: true, workerData: isStraySent });
  const port = await new Promise((resolve) => worker.once('message', resolve));
  const pool = new UpstreamPool(`http://127.0.0.1:${port}`, 1);
  const answer = await new Promise((resolve) => {
    const second = new User(resolve);
    const first = new User(() => {
      // This thread looks at no socket meanwhile.
      while (Atomics.load(isStraySent, 0) === 0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
      pool.giveBack(first.connection as UpstreamConnection);
      pool.acquire(second);
    });
    pool.acquire(first);
  });
  expect(answer).toBe('answer');
  expect(pool.status).toMatchObject({ connections: 1, sentOnNew: 2, sentOnReused: 0 });
  pool.close();
  await worker.terminate();
});

it('memory for reading is used again when it was given back, and not before', () => {
  const lent = ReadMemory.take();
  const giveBack = lent.lend();
  const other = ReadMemory.take();
  expect(other).not.toBe(lent);
  giveBack();
  // The reader still sees that the memory is no longer its own.
  expect(lent.wasLent).toBe(true);
  const again = ReadMemory.take();
  expect(again).toBe(lent);
  expect(again.wasLent).toBe(false);
});

it('memory is freed where the bytes are all of it', () => {
  const whole = Buffer.from(new ArrayBuffer(8));
  freeAtOnce(whole);
  expect(whole.length).toBe(0);
  const part = Buffer.from(new ArrayBuffer(8), 0, 4);
  freeAtOnce(part);
  expect(part.length).toBe(4);
});
