/** The front before a real volume server, where `WEED_BIN` names one: writes through it, and answers equal to direct ones. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FrontFixture, RawClient, startFront } from './http-front-fixture.ts';

const weed = process.env['WEED_BIN'];

describe.skipIf(weed === undefined)('before a real volume server', () => {
  let directory: string;
  let server: ChildProcess;
  let port: number;
  let fixture: FrontFixture;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'http-front-weed-'));
    const [master, masterGrpc, volumeGrpc, volume] = await freePorts(4);
    port = volume as number;
    server = spawn(
      weed as string,
      [
        'server',
        '-ip=127.0.0.1',
        '-ip.bind=127.0.0.1',
        `-dir=${directory}`,
        '-volume.max=3',
        `-master.port=${master}`,
        `-master.port.grpc=${masterGrpc}`,
        '-master.volumeSizeLimitMB=64',
        `-volume.port=${port}`,
        `-volume.port.grpc=${volumeGrpc}`,
        '-volume.preStopSeconds=0',
      ],
      { stdio: 'ignore', cwd: directory, env: { ...process.env, HOME: directory } },
    );
    await grown(`http://127.0.0.1:${master}/vol/grow?count=1`);
    fixture = await startFront({ upstreamUrl: `http://127.0.0.1:${port}` });
  });

  afterAll(async () => {
    await fixture?.close();
    server?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it("a write, a read, an overwrite and a delete on one connection are the server's own", async () => {
    const client = fixture.connect();
    const chunks = '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
    const ask = async (request: string, part: string): Promise<string> => {
      const from = client.received.length;
      client.send(request);
      await client.until((text) => text.slice(from).includes(part));
      return client.received.slice(from);
    };
    const head = (method: string, more = ''): string =>
      `${method} /1,0112345678 HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    expect(await ask(`${head('PUT', 'Content-Length: 3\r\n')}one`, '"eTag"')).toMatch(
      /^HTTP\/1.1 201 /,
    );
    expect(await ask(head('GET'), '\r\n\r\none')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(await ask(head('PUT', 'Transfer-Encoding: chunked\r\n') + chunks, '"eTag"')).toMatch(
      /^HTTP\/1.1 201 /,
    );
    expect(await ask(head('GET', 'Range: bytes=6-\r\n'), '\r\n\r\nworld')).toMatch(
      /^HTTP\/1.1 206 /,
    );
    expect(await ask(head('DELETE'), '"size"')).toMatch(/^HTTP\/1.1 202 /);
    expect(await ask(head('GET'), '\r\n\r\n')).toMatch(/^HTTP\/1.1 404 /);
    expect(fixture.records).toHaveLength(6);
  });

  it.each([
    'GET /1,0 HTTP/1.1\r\nHost: a\r\n\r\n',
    'HEAD /status HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET //1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /1.5,0112345678 HTTP/1.1\r\nHost: a\r\n\r\n',
    'TRACE /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
    'FOO /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http:// HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GARBAGE\r\n',
    'GET /1,01 HTTP/1.1\nHost: a\n\n',
    'GET /1,01 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\nGET /2,02 HTTP/1.0\r\n\r\n',
    'POST /1,01 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n',
  ])('%j is answered as it is without a front', async (request) => {
    const direct = await answerOf(new RawClient(port), request);
    expect(direct === '' || direct.startsWith('HTTP/1.')).toBe(true);
    expect(await answerOf(fixture.connect(), request)).toBe(direct);
  });
});

/** All bytes of a connection whose client stops sending; what differs from one answer to the next is masked. */
async function answerOf(client: RawClient, request: string): Promise<string> {
  client.socket.end(Buffer.from(request, 'latin1'));
  const text = await client.untilClosed();
  client.socket.destroy();
  return text.replace(/^(Date|X-Amz-Request-Id): .*$/gm, '$1: *');
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** Until the master has a volume server to grow a volume on. */
async function grown(url: string): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (performance.now() < deadline) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the volume server did not come up');
}
