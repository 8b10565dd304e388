/**
 * Requests that ask something of the connection besides an answer: HTTP/1.0, expectations, offers of another protocol.
 * RFC 9110 sections 7.6 to 7.8 and 10.1.1, RFC 9112 section 9.3.
 */
import { type HostileRequest, head, hostile, smuggled, victim } from './hostile-request.ts';

/** A head of HTTP/1.0, with nothing but these lines. */
function old(method: string, ...lines: readonly string[]): string {
  return [`${method} ${victim} HTTP/1.0`, ...lines, '', ''].join('\r\n');
}

const stays = 'Connection: keep-alive';
const expects = 'Expect: 100-continue';
const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
const five = 'Content-Length: 5';
const coded = 'Transfer-Encoding: chunked';
const hello = '5\r\nhello\r\n0\r\n\r\n';
const hidden = `Content-Length: ${smuggled.length}`;

const http10: readonly (readonly [name: string, bytes: string])[] = [
  ['a read', old('GET', 'Host: a')],
  ['a read that stays', old('GET', 'Host: a', 'Connection: Keep-Alive')],
  ['a HEAD', old('HEAD')],
  ['a HEAD that stays', old('HEAD', stays)],
  ['a read that closes', old('GET', 'Connection: close')],
  ['a read that does both', old('GET', 'Connection: keep-alive, close')],
  ['a read that does both the other way round', old('GET', 'Connection: close, keep-alive')],
  ['a read that stays, twice', old('GET', stays, stays)],
  ['a read that stays, then closes', old('GET', stays, 'Connection: close')],
  ['a read that stays between blanks', old('GET', 'Connection: x keep-alive')],
  ['a read that stays in a list', old('GET', 'Connection: x,keep-alive')],
  ['a read that nearly stays', old('GET', 'Connection: keep-alivex')],
  ['an empty Connection', old('GET', 'Connection:')],
  ['Keep-Alive alone', old('GET', 'Keep-Alive: 300')],
  ['Proxy-Connection', old('GET', 'Proxy-Connection: keep-alive')],
  ['two reads', old('GET') + old('GET')],
  ['two reads that stay', old('GET', stays) + old('GET', stays)],
  ['a read that stays, and one that does not', old('GET', stays) + old('GET')],
  ['a read of each version', old('GET', stays) + head('GET', 'Connection: close')],
  ['a read of each version, the new one first', head('GET') + old('GET', stays)],
  ['a hidden read', `${old('GET')}${smuggled}`],
  ['two Hosts', old('GET', 'Host: a', 'Host: a', stays)],
  ['an odd Host', old('GET', 'Host: a/b', stays)],
  ['a body', `${old('PUT', five)}hello`],
  ['a body that stays', `${old('PUT', stays, five)}hello`],
  ['a body of a read that stays', `${old('GET', stays, five)}hello`],
  ['a body that hides a read', old('POST', stays, hidden) + smuggled],
  ['a body without a length', `${old('POST', stays)}hello`],
  ['a body without a length that is a read', old('POST', stays) + smuggled],
  ['a body that never comes', old('POST', stays, 'Content-Length: 100000')],
  ['two lengths', `${old('PUT', stays, five, 'Content-Length: 6')}hello`],
  ['a bad length', `${old('PUT', stays, 'Content-Length: +5')}hello`],
  ['chunks', old('POST', stays, coded) + hello],
  ['chunks of a read', old('GET', stays, coded) + hello],
  ['chunks and a length', `${old('POST', stays, coded, five)}hello`],
  ['a coding that is none', old('GET', stays, 'Transfer-Encoding: identity')],
  ['an expectation', `${old('PUT', stays, expects, five)}hello`],
  ['an expectation of a read', old('GET', stays, expects)],
  ['an unknown expectation', old('GET', stays, 'Expect: x')],
  ['an offer of HTTP/2', old('GET', ...h2c)],
  ['an offer of HTTP/2 that stays', old('GET', stays, 'Upgrade: h2c')],
  ['settings of HTTP/2 alone', old('GET', stays, 'HTTP2-Settings: AAMAAABk')],
  ['TE', old('GET', stays, 'TE: trailers')],
  ['a trailer announced', old('GET', stays, 'Trailer: X')],
  ['line feeds', `GET ${victim} HTTP/1.0\n${stays}\n\n`],
  ['a bad escape', `GET /1,03%zz HTTP/1.0\r\n${stays}\r\n\r\n`],
  ['two slashes', `GET /${victim} HTTP/1.0\r\n${stays}\r\n\r\n`],
  ['OPTIONS', old('OPTIONS', stays)],
  ['an end that never comes', `GET ${victim} HTTP/1.0\r\n${stays}\r\n`],
];

const expectations: readonly (readonly [name: string, bytes: string])[] = [
  ['of a HEAD', head('HEAD', expects)],
  ['of a DELETE', head('DELETE', expects)],
  ['of a PUT without a length', head('PUT', expects)],
  ['of a PUT without a length that hides a read', head('PUT', expects) + smuggled],
  ['of no bytes', head('PUT', expects, 'Content-Length: 0')],
  ['of a body', `${head('PUT', expects, five)}hello`],
  ['of a body of a read', `${head('GET', expects, five)}hello`],
  ['of a body that hides a read', head('POST', expects, hidden) + smuggled],
  ['of a body that is too long', `${head('PUT', expects, five)}hello${smuggled}`],
  ['of a body that never comes', head('PUT', expects, 'Content-Length: 100000')],
  ['of chunks', head('POST', expects, coded) + hello],
  ['of no chunks', `${head('POST', expects, coded)}0\r\n\r\n`],
  ['of chunks and a length', `${head('POST', expects, coded, five)}hello`],
  ['and close', `${head('PUT', expects, five, 'Connection: close')}hello`],
  ['twice', `${head('PUT', expects, expects, five)}hello`],
  ['and another', `${head('PUT', expects, 'Expect: x', five)}hello`],
  ['behind another', `${head('PUT', 'Expect: x', expects, five)}hello`],
  ['in a list', `${head('PUT', 'Expect: x, 100-continue', five)}hello`],
  ['between blanks', `${head('PUT', 'Expect: x 100-continue', five)}hello`],
  ['of a longer word', `${head('PUT', 'Expect: 100-continues', five)}hello`],
  ['with a parameter', `${head('PUT', 'Expect: 100-continue;x', five)}hello`],
  ['in quotes', `${head('PUT', 'Expect: "100-continue"', five)}hello`],
  ['that is folded', `${head('PUT', 'Expect:', ' 100-continue', five)}hello`],
  ['that Connection names', `${head('PUT', expects, 'Connection: Expect', five)}hello`],
  ['of a read, twice over', head('GET', expects) + head('GET', expects)],
];

/** Those that the front takes for what they are. */
const offers: readonly (readonly [name: string, bytes: string])[] = [
  ['of a GET', head('GET', ...h2c)],
  ['of a HEAD', head('HEAD', ...h2c)],
  ['of a body', `${head('PUT', ...h2c, five)}hello`],
  ['of a body that hides a read', head('POST', ...h2c, hidden) + smuggled],
  ['of chunks', head('POST', ...h2c, coded) + hello],
  ['of a DELETE', head('DELETE', ...h2c)],
  ['in odd casing', head('GET', 'cONNECTION: uPGRADE', 'uPGRADE: H2C')],
  ['and close', head('GET', 'Connection: Upgrade, close', 'Upgrade: h2c')],
  ['and an option of its own', head('GET', 'Connection: Upgrade, X', 'Upgrade: h2c', 'X: y')],
  ['and another one', head('GET', ...h2c) + head('GET', ...h2c)],
  ['and an expectation', `${head('PUT', expects, ...h2c, five)}hello`],
  ['and an expectation of chunks', head('PUT', expects, ...h2c, coded) + hello],
  ['and TE', head('GET', ...h2c, 'TE: trailers')],
  ['and a body by the framework', `${head('PUT', ...h2c, five, 'TE: trailers')}hello`],
];

const oddOffers: readonly (readonly [name: string, bytes: string])[] = [
  ['twice', head('GET', ...h2c, 'Upgrade: h2c')],
  ['of two protocols', head('GET', 'Connection: Upgrade', 'Upgrade: h2c, websocket')],
  ['of two protocols in two lines', head('GET', ...h2c, 'Upgrade: websocket')],
  ['of another one', head('GET', 'Connection: Upgrade', 'Upgrade: TLS/1.0')],
  ['of none', head('GET', 'Connection: Upgrade', 'Upgrade:')],
  ['of a longer word', head('GET', 'Connection: Upgrade', 'Upgrade: h2c2')],
  ['and close, twice', head('GET', 'Connection: close', ...h2c, 'Upgrade: h2c')],
  ['that is folded', head('GET', 'Connection: Upgrade', 'Upgrade:', ' h2c')],
];

const others: readonly (readonly [name: string, bytes: string])[] = [
  ['Proxy-Connection that stays', head('GET', 'Proxy-Connection: keep-alive')],
  ['Proxy-Connection in odd casing', head('GET', 'pROXY-cONNECTION: Keep-Alive')],
  ['Proxy-Connection of a body', `${head('PUT', 'Proxy-Connection: keep-alive', five)}hello`],
  ['Proxy-Connection and close', head('GET', 'Proxy-Connection: keep-alive', 'Connection: close')],
  ['an empty Proxy-Connection', head('GET', 'Proxy-Connection:')],
  ['Proxy-Connection naming Range', head('GET', 'Proxy-Connection: Range', 'Range: bytes=0-1')],
];

export const hostileHops: readonly HostileRequest[] = [
  ...http10.map(([name, bytes]) => hostile(`HTTP/1.0: ${name}`, bytes)),
  ...expectations.map(([name, bytes]) => hostile(`an expectation ${name}`, bytes)),
  ...offers.map(([name, bytes]) => ({
    ...hostile(`an offer ${name}`, bytes),
    withoutOffer: bytes.replaceAll(/^upgrade:/gim, 'X-Offer:'),
  })),
  ...oddOffers.map(([name, bytes]) => hostile(`an odd offer ${name}`, bytes)),
  ...others.map(([name, bytes]) => hostile(name, bytes)),
];
