/** What a connection to the volume server reads stays as it is until whoever looks at it has said so. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ReadMemory, UpstreamConnection } from '../../src/proxy/passthrough/upstream-pool.ts';
import { eventually } from './http-front-fixture.ts';

let server: Server;
let peer: Socket | undefined;
let connection: UpstreamConnection;
const gone: UpstreamConnection[] = [];

beforeEach(async () => {
  peer = undefined;
  gone.length = 0;
  server = createServer((socket) => {
    peer = socket;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  connection = new UpstreamConnection({ host: '127.0.0.1', port }, (each) => gone.push(each));
  await eventually(() => peer !== undefined && connection.isConnected);
});

afterEach(async () => {
  connection.destroy();
  peer?.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** Sends each text when the one before it has been read. */
async function readAll(
  texts: readonly string[],
  look: (bytes: Buffer, memory: ReadMemory) => boolean,
): Promise<Buffer[]> {
  const received: Buffer[] = [];
  connection.user = {
    received(bytes, memory) {
      received.push(bytes);
      return look(bytes, memory);
    },
    writable: () => undefined,
    upstreamGone: () => undefined,
  };
  for (const [at, text] of texts.entries()) {
    peer?.write(text);
    await eventually(() => received.length === at + 1);
  }
  return received;
}

const texts = ['first', 'second', 'third'];

it('bytes that are still being looked at are not read over', async () => {
  const received = await readAll(texts, () => false);
  expect(received.map(String)).toEqual(texts);
});

it('lent memory is not read over, and used again when it was given back', async () => {
  const giveBacks: (() => void)[] = [];
  const received = await readAll(texts, (_bytes, memory) => {
    giveBacks.push(memory.lend());
    return true;
  });
  expect(received.map(String)).toEqual(texts);
  for (const giveBack of giveBacks) giveBack();
  const later = await readAll(['a', 'b', 'c'], (_bytes, memory) => {
    memory.lend();
    return true;
  });
  const buffers = new Set(received.map((bytes) => bytes.buffer));
  expect(later.some((bytes) => buffers.has(bytes.buffer))).toBe(true);
});

it('memory that is free is read into again', async () => {
  const received = await readAll(texts, () => true);
  expect(new Set(received.map((bytes) => bytes.buffer)).size).toBe(1);
});

it('bytes that nobody asked for end it', async () => {
  peer?.write('stray');
  await eventually(() => gone.length === 1 && peer?.destroyed === true);
  expect(gone).toEqual([connection]);
});
