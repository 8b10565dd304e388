import { expect, it } from 'vitest';
import { type FramedRequest, RequestFramer } from '../lane/request-framer.ts';
import { hasConnection, isRelayable } from './relayable.ts';

function framed(lines: string, method = 'GET'): FramedRequest {
  const text = `${method} /1,01 HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
  const verdict = new RequestFramer(65_536).frame(Buffer.from(text), 0);
  if (verdict.kind !== 'request') throw new Error('not framed');
  return verdict;
}

it.each([
  ['GET', ''],
  ['HEAD', 'X-Unknown: 1\r\n'],
  ['PUT', 'Content-Length: 5\r\n'],
  ['POST', 'Content-Length: 0\r\nConnection: keep-alive\r\n'],
  ['GET', 'connection: Close\r\n'],
  ['GET', 'Content-Length: 3\r\n'],
  // As long as names that are not.
  ['DELETE', 'XX: 1\r\nReferer: 1\r\nUser-Agent: 1\r\nAccept-Languages: 1\r\n'],
  ['TRACE', ''],
] as const)('%s with %j is carried by the relay', (method, lines) => {
  expect(isRelayable(framed(lines, method))).toBe(true);
});

it.each([
  ['PUT', 'Transfer-Encoding: chunked\r\n'],
  ['GET', 'Connection: keep-alive, X-Hop\r\n'],
  ['GET', 'Connection: close, close\r\n'],
  ['GET', 'Connection: X-Hop\r\n'],
  ['GET', 'Connection:\r\n'],
  ['GET', 'Connection: keep-alive\r\nConnection: X-Hop\r\n'],
  ['GET', 'TE: trailers\r\n'],
  ['PUT', 'Content-Length: 1\r\ntrailer: X\r\n'],
  ['GET', 'Keep-Alive: timeout=5\r\n'],
] as const)('%s with %j is not', (method, lines) => {
  expect(isRelayable(framed(lines, method))).toBe(false);
});

it('a head with Connection does not go on as it came', () => {
  expect(hasConnection(framed('CONNECTION: keep-alive\r\n'))).toBe(true);
  expect(hasConnection(framed('X-Thousand: connection\r\n'))).toBe(false);
});
