/**
 * Servers that answer 101 to requests that offered no upgrade: Node's client then reports neither an answer nor an
 * error, and a poll that waited for one of them never asked again.
 */
import { once } from 'node:events';
import { Agent } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OwnListener } from '../../src/admin/api/own-listener.ts';
import { AdminClient } from '../../src/cli/admin/admin-client.ts';
import { httpPath } from '../../src/cli/bench/http-path.ts';
import { ask } from '../../src/cli/doctor/http-question.ts';
import { LearnedFacts } from '../../src/proxy/fleet/learned-facts.ts';
import { startUpstreamProbe, type UpstreamChange } from '../../src/proxy/fleet/upstream-probe.ts';
import { startConfirmation } from '../../src/volume-server/confirmation.ts';
import { fetchPage } from '../../src/volume-server/fetch-page.ts';
import { eventually } from './http-front-fixture.ts';

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
const body = '{"Volumes":null}';
const ok = `HTTP/1.1 200 OK\r\nServer: SeaweedFS Volume X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const refused = /101 Switching Protocols, though no upgrade was asked for/;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const { signal } = new AbortController();
const sockets = new Set<Socket>();
let server: Server;
let port: number;
let answer: string;

beforeEach(async () => {
  answer = switching;
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', () => socket.write(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});

const url = (): string => `http://127.0.0.1:${port}`;

describe('an unasked 101 is an error of', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a page of a volume server', () => fetchPage(new URL('/status', url()), agent, 60_000)],
    ['a status page', () => new AdminClient(address(), 60_000).text('/stats')],
    ['a followed log', () => new AdminClient(address(), 60_000).lines('/log', signal, () => {})],
    ['a measured read', () => measured()],
    ['a read for the admin API', () => ownListener().get({ path: '/', headers: {}, signal })],
  ])('%s', async (_name, asks) => {
    await expect(asks()).rejects.toThrow(refused);
  });

  test('a question of the doctor', async () => {
    const detail = expect.stringMatching(refused);
    expect(await ask(new URL(url()), 60_000)).toMatchObject({ kind: 'failed', detail });
  });
});

const address = (): { address: string; token: undefined } => ({
  address: `127.0.0.1:${port}`,
  token: undefined,
});

function measured(): Promise<unknown> {
  const read = httpPath(url(), { bytes: 1, timeoutMs: 60_000, depth: 1 });
  const needle = { volumeId: 3, needleId: 1n, cookie: 0x637037d6 };
  return Promise.resolve(read(needle, () => undefined));
}

const ownListener = (): OwnListener => new OwnListener(() => connect(port, '127.0.0.1'));

describe('a server that answers 101 for a while', () => {
  test('is probed at the usual pace, and found again', async () => {
    const changes: UpstreamChange[] = [];
    const probe = startUpstreamProbe({
      upstreamUrl: url(),
      facts: new LearnedFacts(),
      intervalMs: 20,
      timeoutMs: 60_000,
      onChange: (change) => changes.push(change),
    });
    await eventually(() => changes.length === 1 && sockets.size >= 3);
    answer = ok;
    await eventually(() => changes.length === 2);
    probe.close();
    expect(changes).toMatchObject([
      { kind: 'down', detail: expect.stringMatching(refused) },
      { kind: 'up' },
    ]);
  });

  test('confirms nothing meanwhile, and volumes again afterwards', async () => {
    const changes: { readonly isOk: boolean; readonly detail: string }[] = [];
    const confirmation = startConfirmation({
      volumeServerUrl: url(),
      intervalMs: 20,
      onServed: () => undefined,
      onChange: (change) => changes.push(change),
    });
    await eventually(() => changes.length === 1 && sockets.size >= 3);
    answer = ok;
    await eventually(() => changes.length === 2);
    confirmation.close();
    expect(changes).toMatchObject([
      { isOk: false, detail: expect.stringMatching(refused) },
      { isOk: true },
    ]);
  });
});
