import { expect, it } from 'vitest';
import { isPlainRead } from './plain-read.ts';
import { type FramedRequest, RequestFramer } from './request-framer.ts';

function framed(text: string): FramedRequest {
  const verdict = new RequestFramer(65_536).frame(Buffer.from(text), 0);
  if (verdict.kind !== 'request') throw new Error('not framed');
  return verdict;
}

it.each([
  'GET /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD /1/01/x.txt?dl=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: Go-http-client/1.1\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n',
  'GET /12,01 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAccept-Encoding: gzip\r\n\r\n',
])('%j goes straight to the corridor', (text) => {
  expect(isPlainRead(framed(text))).toBe(true);
});

it.each([
  'PUT /1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /status HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET //1,01 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /1,01 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  'GET /1,01 HTTP/1.1\r\nHost: a\r\nX-Unknown: 1\r\n\r\n',
  'GET /1,01 HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n',
])('%j does not', (text) => {
  expect(isPlainRead(framed(text))).toBe(false);
});
