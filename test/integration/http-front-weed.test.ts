/** The front before a real volume server, where `WEED_BIN` names one: writes through it, and answers equal to direct ones. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FrontFixture, RawClient, startFront } from './http-front-fixture.ts';
import { startWeed, type WeedServer, weed } from './weed-server.ts';

describe.skipIf(weed === undefined)('before a real volume server', () => {
  let server: WeedServer;
  let fixture: FrontFixture;

  beforeAll(async () => {
    server = await startWeed();
    fixture = await startFront({ upstreamUrl: `http://127.0.0.1:${server.port}` });
  });

  afterAll(async () => {
    await fixture?.close();
    server?.close();
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
    'GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\nGET /2,02 HTTP/1.2\r\n\r\n',
    'POST /1,01 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n',
  ])('%j is answered as it is without a front', async (request) => {
    const direct = await answerOf(new RawClient(server.port), request);
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
