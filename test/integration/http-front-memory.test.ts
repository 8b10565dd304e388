/** Streams a GiB both ways through a front in a process of its own and looks at that process's memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const chunk = Buffer.alloc(1_048_576, 'x');
const mebibytes = 1_024;
/** V8 lets about this much of read and forgotten buffers pile up before it collects them. */
const garbageKib = 128 * 1_024;
const answer = 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n';

let upstream: Server;
let front: ChildProcess;
let port: number;
let uploadedBytes = 0;

beforeEach(async () => {
  uploadedBytes = 0;
  upstream = createServer((socket) => {
    let head = '';
    let leftBytes = -1;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (leftBytes < 0) {
        head += bytes.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0 || head.startsWith('GET /wait')) return;
        const declared = /content-length: (\d+)/i.exec(head)?.[1];
        if (declared === undefined) {
          void download(socket, Number(/^GET \/(\d+)/.exec(head)?.[1]));
          head = '';
          return;
        }
        leftBytes = Number(declared) - (head.length - end - 4);
        uploadedBytes += head.length - end - 4;
      } else {
        leftBytes -= bytes.length;
        uploadedBytes += bytes.length;
      }
      if (leftBytes > 0) return;
      socket.write(answer);
      head = '';
      leftBytes = -1;
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const program = fileURLToPath(new URL('http-front-process.ts', import.meta.url));
  front = spawn(process.execPath, [program, `http://127.0.0.1:${upstreamPort}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(front.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  port = Number(line.toString());
});

afterEach(() => {
  front.kill('SIGKILL');
  upstream.close();
});

async function download(socket: Socket, count: number): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${count * chunk.length}\r\n\r\n`);
  for (let i = 0; i < count; i += 1) if (!socket.write(chunk)) await once(socket, 'drain');
}

/** Kibibytes that the process ever held. */
function peakKib(): number {
  const status = readFileSync(`/proc/${front.pid}/status`, 'utf8');
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]);
}

async function put(count: number): Promise<void> {
  const client = connect({ host: '127.0.0.1', port });
  let received = '';
  client.on('data', (bytes) => {
    received += bytes.toString();
  });
  client.write(`PUT /1,01 HTTP/1.1\r\nHost: a\r\nContent-Length: ${count * chunk.length}\r\n\r\n`);
  for (let i = 0; i < count; i += 1) if (!client.write(chunk)) await once(client, 'drain');
  while (received.length < answer.length) await once(client, 'data');
  expect(received).toBe(answer);
  client.destroy();
}

it('an upload of 1 GiB takes no more memory than one of 1 MiB', { timeout: 120_000 }, async () => {
  for (let i = 0; i < 20; i += 1) await put(1);
  const before = peakKib();
  await put(mebibytes);
  expect(uploadedBytes).toBe((mebibytes + 20) * chunk.length);
  expect(peakKib() - before).toBeLessThan(garbageKib);
});

async function get(count: number): Promise<void> {
  const client = connect({ host: '127.0.0.1', port });
  client.write(`GET /${count} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await once(client, 'readable');
  // The volume server has all the time it needs to send what nobody reads.
  await new Promise((resolve) => setTimeout(resolve, 500));
  let bytes = 0;
  for await (const part of client) {
    bytes += (part as Buffer).length;
    if (bytes >= count * chunk.length) break;
  }
}

it('a download of 1 GiB takes no more memory than one of 64 MiB', {
  timeout: 120_000,
}, async () => {
  for (let i = 0; i < 3; i += 1) await get(64);
  const before = peakKib();
  await get(mebibytes);
  expect(peakKib() - before).toBeLessThan(garbageKib);
});

it('pipelines behind requests in hand are hardly read ahead', async () => {
  const before = peakKib();
  const pipeline = Buffer.alloc(1_048_576, 'GET /wait HTTP/1.1\r\nHost: a\r\n\r\n');
  const clients = Array.from({ length: 400 }, () => connect({ host: '127.0.0.1', port }));
  for (const client of clients) {
    client.on('error', () => undefined);
    client.write(pipeline);
  }
  await pause(3_000);
  const grownKib = peakKib() - before;
  for (const client of clients) client.destroy();
  expect(grownKib / clients.length).toBeLessThan(210);
}, 30_000);
