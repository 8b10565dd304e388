/** Small answers share memory that is used again: never before its bytes have left, whoever reads slowly or goes away. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { RequestHead } from '../../src/http1/request-head.ts';
import { type FrontFixture, needleAnswer, startFront } from './http-front-fixture.ts';

const bodyBytes = 12_000;
const answerHead = `HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\nServer: s\r\n\r\n`;
const answerBytes = answerHead.length + bodyBytes;

let fixture: FrontFixture;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await fixture.close();
});

function bodyOf(number: number): Buffer {
  return Buffer.alloc(bodyBytes, `answer ${number}, `);
}

/** Answers request /N,… with body N. */
function serve({ target }: RequestHead): ReturnType<typeof needleAnswer> {
  return needleAnswer(bodyOf(Number(/\d+/.exec(target)?.[0])));
}

async function ask(from: number, count: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: fixture.front.port });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  let text = '';
  for (let i = from; i < from + count; i += 1) text += `GET /${i},01 HTTP/1.1\r\nHost: a\r\n\r\n`;
  socket.write(text);
  return socket;
}

async function readAll(socket: Socket, from: number, count: number): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
  });
  socket.resume();
  await expect.poll(() => bytes, { timeout: 10_000 }).toBe(count * answerBytes);
  const all = Buffer.concat(chunks);
  for (let i = 0; i < count; i += 1) {
    const answer = all.subarray(i * answerBytes, (i + 1) * answerBytes);
    expect(answer.toString('latin1', 0, answerHead.length)).toBe(answerHead);
    if (!answer.subarray(answerHead.length).equals(bodyOf(from + i))) {
      throw new Error(`answer ${from + i} is not what was answered`);
    }
  }
}

it('to clients that read late, while others come and go', async () => {
  fixture = await startFront({ upstreamUrl: 'http://127.0.0.1:1', serve });
  const late = [];
  for (let i = 0; i < 20; i += 1) late.push(await ask(i * 1000, 900));
  for (let i = 0; i < 20; i += 1) {
    const gone = await ask(100_000 + i * 1000, 900);
    await new Promise((resolve) => setTimeout(resolve, 2));
    gone.destroy();
  }
  for (let i = 0; i < 20; i += 1)
    await readAll(await ask(200_000 + i * 100, 50), 200_000 + i * 100, 50);
  for (const [index, socket] of late.entries()) await readAll(socket, index * 1000, 900);
}, 60_000);
