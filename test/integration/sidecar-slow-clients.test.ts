/** Clients of the sidecar that say too little: what they begin ends, from when they were accepted. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { scratchFolder } from './scratch.ts';
import { metrics, type SidecarStage, startSidecarStage, sumOf } from './sidecar-stage.ts';

const scratch = scratchFolder();
let stage: SidecarStage;

beforeAll(async () => {
  stage = await startSidecarStage(scratch, {
    transport: 'inproc',
    sections: '[limits]\nhead_timeout = "1s"\nidle_timeout = "2s"\n',
  });
}, 60_000);

test.each([
  ['nothing', '', ''],
  ['a head byte by byte', 'GET /health HTTP/1.1\r\nX: ', 'y'],
  ['a head of HTTP/1.0 byte by byte', 'GET /health HTTP/1.0\r\nX: ', 'y'],
  ['a body byte by byte', 'POST /cleanup HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n', 'x'],
])(
  'a client that sends %s is ended',
  async (_, start, piece) => {
    const { hostname, port } = new URL(stage.sidecar);
    const socket: Socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    const startedMs = performance.now();
    if (start !== '') socket.write(start);
    const drip = setInterval(() => piece !== '' && socket.write(piece), 100);
    await once(socket.resume(), 'close');
    clearInterval(drip);
    expect(performance.now() - startedMs).toBeLessThan(6_000);
  },
  20_000,
);

test.each([
  ['goes away', (socket: Socket) => socket.resetAndDestroy()],
  ['ends its side', (socket: Socket) => socket.end()],
])(
  'a client that %s before its body is complete gets no line of the log',
  async (_, leave) => {
    const { hostname, port } = new URL(stage.sidecar);
    const aborted = async (): Promise<number> =>
      sumOf(
        await metrics(stage.admin),
        'seaweed_rdma_sidecar_requests_total',
        'path="rdma_read",outcome="aborted"',
      );
    const [before, lines] = [await aborted(), stage.proxy.lines.length];
    const clients = Array.from({ length: 20 }, async () => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(
        'POST /rdma/read HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99\r\n\r\n{',
      );
      // "100 Continue": the request has begun.
      await once(socket, 'data');
      leave(socket);
      await once(socket.resume(), 'close');
    });
    await Promise.all(clients);
    await expect.poll(aborted, { timeout: 5_000 }).toBe(before + 20);
    expect(stage.proxy.lines.slice(lines)).toEqual([]);
  },
  20_000,
);
