import { describe, expect, it } from 'vitest';
import { answerHeaders, requestHeaders, saysClose } from './hop-by-hop.ts';

describe('towards the volume server', () => {
  it('keeps names, casing, order and duplicates', () => {
    const rawHeaders = ['hOST', 'a', 'X-A', '1', 'x-a', '2', 'Range', 'bytes=0-1', 'X-A', ''];
    expect(requestHeaders(rawHeaders)).toEqual(rawHeaders);
  });

  it('removes what ends at a proxy, and what Connection lists', () => {
    const rawHeaders = [
      'Host',
      'a',
      'Connection',
      'close, X-Hop',
      'Keep-Alive',
      'timeout=5',
      'TE',
      'trailers',
      'x-hop',
      '1',
      'Proxy-Connection',
      'x',
      'Trailer',
      'y',
      'X-Stay',
      '2',
    ];
    expect(requestHeaders(rawHeaders)).toEqual(['Host', 'a', 'X-Stay', '2']);
  });

  it('never removes an end-to-end header, wherever it is listed', () => {
    const rawHeaders = [
      'Host',
      'a',
      'Content-Length',
      '3',
      'Authorization',
      'Bearer x',
      'Range',
      'r',
    ];
    const listed = ['Connection', 'host, content-length, AUTHORIZATION, range'];
    expect(requestHeaders([...rawHeaders, ...listed])).toEqual(rawHeaders);
  });

  it('keeps the framing of a chunked body', () => {
    expect(requestHeaders(['Host', 'a', 'Transfer-Encoding', 'chunked'])).toEqual([
      'Host',
      'a',
      'Transfer-Encoding',
      'chunked',
    ]);
  });
});

describe('towards the client', () => {
  it('keeps a close in its place', () => {
    const rawHeaders = ['A', '1', 'Connection', 'close', 'B', '2'];
    expect(answerHeaders(rawHeaders, false)).toEqual(rawHeaders);
    expect(answerHeaders(rawHeaders, true)).toEqual(rawHeaders);
    expect(saysClose(rawHeaders)).toBe(true);
  });

  it('removes keep-alive and listed names', () => {
    const rawHeaders = [
      'A',
      '1',
      'Connection',
      'keep-alive, X-Hop',
      'Keep-Alive',
      '5',
      'X-Hop',
      'y',
    ];
    expect(answerHeaders(rawHeaders, false)).toEqual(['A', '1']);
    expect(saysClose(rawHeaders)).toBe(false);
  });

  it("keeps a needle's own headers, whatever their names", () => {
    const rawHeaders = ['Keep-Alive', 'a', 'Proxy-Connection', 'b', 'Upgrade', 'c'];
    expect(answerHeaders(rawHeaders, false)).toEqual(rawHeaders);
  });

  it('says close where the volume server would have said it', () => {
    expect(answerHeaders(['A', '1', 'Date', 'd'], true)).toEqual([
      'A',
      '1',
      'Date',
      'd',
      'Connection',
      'close',
    ]);
    expect(answerHeaders(['Date', 'd', 'Transfer-Encoding', 'chunked'], true)).toEqual([
      'Date',
      'd',
      'Connection',
      'close',
      'Transfer-Encoding',
      'chunked',
    ]);
  });
});
