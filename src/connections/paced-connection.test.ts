import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { PacedConnection } from './paced-connection.ts';
import { Turnstile } from './turnstile.ts';

let server: Server;

afterEach(() => {
  server.close();
});

async function pair(): Promise<readonly [client: Socket, paced: PacedConnection]> {
  server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const [socket] = (await once(server, 'connection')) as [Socket];
  return [client, new PacedConnection(socket, new Turnstile(0))];
}

test('bytes come in small pieces, whole and in their order, and then the end', async () => {
  const [client, paced] = await pair();
  const sent = Buffer.alloc(50_000, 'abcdefg');
  client.end(sent);
  const pieces: Buffer[] = [];
  for await (const piece of paced) pieces.push(piece as Buffer);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(1_024);
  expect(Buffer.concat(pieces).equals(sent)).toBe(true);
  client.destroy();
});

test('what is written goes out, the other half stays open', async () => {
  const [client, paced] = await pair();
  client.end();
  paced.resume();
  await once(paced, 'end');
  paced.cork();
  paced.write('one ');
  paced.write('two');
  paced.uncork();
  paced.end();
  let came = '';
  for await (const bytes of client) came += bytes;
  expect(came).toBe('one two');
  client.destroy();
});

test('a client that goes away ends it, and its own end that of the client', async () => {
  const [client, paced] = await pair();
  const closed = new Promise((resolve) => paced.on('error', resolve));
  client.resetAndDestroy();
  expect(await closed).toMatchObject({ code: 'ECONNRESET' });
  expect(paced.destroyed).toBe(true);
  const [other, ended] = await pair();
  other.on('error', () => undefined);
  ended.destroy();
  await once(other.resume(), 'end');
  other.destroy();
});

test('a time without bytes is told', async () => {
  const [client, paced] = await pair();
  paced.setTimeout(30);
  await once(paced, 'timeout');
  client.destroy();
});
