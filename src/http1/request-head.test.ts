import { expect, it } from 'vitest';
import { RequestFramer } from './request-framer.ts';
import type { HeaderBlock } from './request-head.ts';

function framed(lines: string, method = 'GET', version = '1.1'): HeaderBlock {
  const text = `${method} /1,01 HTTP/${version}\r\nHost: a\r\n${lines}\r\n`;
  const verdict = new RequestFramer(65_536).frame(Buffer.from(text), 0);
  if (verdict.kind !== 'request') throw new Error('not framed');
  return verdict.block;
}

it.each([
  ['GET', ''],
  ['HEAD', 'X-Unknown: 1\r\n'],
  ['PUT', 'Content-Length: 5\r\n'],
  ['POST', 'Content-Length: 0\r\nConnection: keep-alive\r\n'],
  ['GET', 'connection: Close\r\n'],
  ['GET', 'Connection: close, close\r\n'],
  ['GET', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n'],
  ['GET', 'Proxy-Connection: keep-alive\r\n'],
  ['PUT', 'Expect: 100-continue\r\nContent-Length: 3\r\n'],
  ['GET', 'Content-Length: 3\r\n'],
  // Names as long as known ones, but different.
  ['DELETE', 'XX: 1\r\nReferer: 1\r\nUser-Agent: 1\r\nAccept-Languages: 1\r\n'],
  ['TRACE', ''],
] as const)('%s with %j is carried by the relay', (method, lines) => {
  expect(framed(lines, method).isRelayable).toBe(true);
});

it.each([
  ['PUT', 'Transfer-Encoding: chunked\r\n'],
  ['GET', 'Connection: keep-alive, X-Hop\r\n'],
  ['GET', 'Connection: X-Hop\r\n'],
  ['GET', 'Connection:\r\n'],
  ['GET', 'Connection: keep-alive\r\nConnection: X-Hop\r\n'],
  ['GET', 'TE: trailers\r\n'],
  ['PUT', 'Content-Length: 1\r\ntrailer: X\r\n'],
  ['GET', 'Keep-Alive: timeout=5\r\n'],
] as const)('%s with %j is not', (method, lines) => {
  expect(framed(lines, method).isRelayable).toBe(false);
});

it('a head with Connection or the like does not go on as it came', () => {
  expect(framed('CONNECTION: keep-alive\r\n').hasHops).toBe(true);
  expect(framed('upgrade: h2c\r\n').hasHops).toBe(true);
  expect(framed('X-Thousand: connection\r\n').hasHops).toBe(false);
});

it('a head of HTTP/1.0 goes on as it came, whatever it says of the connection', () => {
  for (const lines of ['Connection: keep-alive\r\n', 'Keep-Alive: 5\r\n', '']) {
    const block = framed(lines, 'GET', '1.0');
    expect(block.isRelayable).toBe(true);
    expect(block.hasHops).toBe(false);
  }
});
