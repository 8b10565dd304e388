/** Clients of the sidecar that say too little: what they begin ends, from when they were accepted. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { scratchFolder } from './scratch.ts';
import { type SidecarStage, startSidecarStage } from './sidecar-stage.ts';

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
