/**
 * Requests that ask something of the connection besides an answer, and what a real volume server says to them:
 * fixtures/odd-requests.jsonl, recorded from the server of the group "main". HTTP/1.0, `Expect: 100-continue`, an offer
 * of HTTP/2 as clients written in Java make it, `Proxy-Connection`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawConnection, type Received, type ReceivedAnswer } from './raw-connection.ts';
import {
  fixturesFolder,
  type RecordedAnswer,
  type RecordedCase,
  requestBytes,
  sha256,
} from './transcript.ts';

export const oddRequestsFile: string = join(fixturesFolder, 'odd-requests.jsonl');

/** A text of 301 bytes that is stored as it is, one that is stored compressed, ten bytes without a type, many bytes. */
const text = '/1,2ec2b5abcf67f076';
const compressed = '/1,71ee8aa5a21d39c49492d0b3';
const ten = '/1,d4cc6be928234868e9';
const big = '/1,25e9c2ea61ae535242';
const deleted = '/1,22f7cd229e4041d3';
const readOnly = '/3,099900000009';

const stays = 'Connection: keep-alive';
const expects = 'Expect: 100-continue';
const etag = 'If-None-Match: "3651f34e"';
const range = 'Range: bytes=2-5';
const gzip = 'Accept-Encoding: gzip';
const java = [
  'Connection: Upgrade, HTTP2-Settings',
  'Host: a:8080',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  'Upgrade: h2c',
  'User-Agent: Java-http-client/21.0.2',
];

function head(version: string, method: string, target: string, lines: readonly string[]): string {
  return [`${method} ${target} HTTP/${version}`, ...lines, '', ''].join('\r\n');
}

const old = (method: string, target: string, ...lines: readonly string[]): string =>
  head('1.0', method, target, lines);
const plain = (method: string, target: string, ...lines: readonly string[]): string =>
  head('1.1', method, target, ['Host: a', ...lines]);
const fromJava = (method: string, target: string, ...lines: readonly string[]): string =>
  head('1.1', method, target, [...lines, ...java]);

interface OddRequest {
  readonly name: string;
  readonly bytes: string;
  /** Interim answers count. */
  readonly answers: number;
  /**
   * plain: a read that the proxy answers once it has learned what only the volume server knows; forwarded: one request
   * on its way through the proxy; raw: the connection's end as far as the proxy is concerned.
   */
  readonly kind: 'plain' | 'forwarded' | 'raw';
  /** The volume server has said close, and waits for the announced body before it does; the proxy does at once. */
  readonly isWaiting?: boolean;
}

function read(name: string, bytes: string, answers = 1): OddRequest {
  return { name, bytes, answers, kind: 'plain' };
}

function other(name: string, bytes: string, answers = 1): OddRequest {
  return { name, bytes, answers, kind: 'forwarded' };
}

function raw(name: string, bytes: string, answers = 1): OddRequest {
  return { name, bytes, answers, kind: 'raw' };
}

const oddRequests: readonly OddRequest[] = [
  raw('websocket', plain('GET', text, 'Connection: Upgrade', 'Upgrade: websocket')),
  read('http10', old('GET', text)),
  read('http10_host', old('GET', text, 'Host: a')),
  read('http10_close', old('GET', text, 'Host: a', 'Connection: close')),
  read('http10_ka', old('GET', text, 'Host: a', 'Connection: Keep-Alive')),
  read('http10_head', old('HEAD', text)),
  read('http10_head_ka', old('HEAD', text, stays)),
  read('http10_nginx', old('GET', ten, 'Host: volume_servers', 'Connection: close', 'Accept: */*')),
  read('http10_range', old('GET', text, range)),
  read('http10_range_ka', old('GET', text, range, stays)),
  read('http10_range_head_ka', old('HEAD', text, range, stays)),
  other('http10_badrange_ka', old('GET', text, 'Range: bytes=9-1', stays)),
  read('http10_304', old('GET', text, etag)),
  read('http10_304_ka', old('GET', text, etag, stays)),
  read('http10_304_head_ka', old('HEAD', text, etag, stays)),
  read('http10_gzip', old('GET', compressed, gzip)),
  read('http10_gzip_ka', old('GET', compressed, gzip, stays)),
  read('http10_gunzip_ka', old('GET', compressed, stays)),
  read('http10_gunzip_head_ka', old('HEAD', compressed, stays)),
  read('http10_big', old('GET', big)),
  read('http10_big_ka', old('GET', big, stays)),
  read('http10_big_range_ka', old('GET', big, 'Range: bytes=1000-1019', stays)),
  read('http10_origin_ka', old('GET', text, 'Origin: http://z', stays)),
  read('http10_dl_ka', old('GET', `${text}?dl=true`, stays)),
  read('http10_override_ka', old('GET', `${text}?response-content-type=a/b`, stays)),
  read('http10_chunk_ka', old('GET', `${text}?readDeleted=true`, stays)),
  read('http10_settings_ka', old('GET', text, 'HTTP2-Settings: AAMAAABk', stays)),
  read('http10_two', old('GET', text, stays) + old('GET', ten, stays), 2),
  read('http10_two_end', old('GET', text, stays) + old('GET', ten) + old('GET', text), 2),
  read('http10_then_11', old('GET', text, stays) + plain('GET', ten), 2),
  read('http10_after_11', plain('GET', text) + old('GET', ten), 2),
  raw('http10_proxy_connection', old('GET', text, 'Proxy-Connection: keep-alive')),
  raw('http10_both', old('GET', text, 'Connection: keep-alive, close')),
  raw('http10_both_lines', old('GET', text, stays, 'Connection: close')),
  raw('http10_expect_ka', old('GET', text, expects, stays)),
  raw('http10_upgrade_ka', old('GET', text, 'Upgrade: h2c', stays)),
  raw('http10_chunked_ka', `${old('GET', text, 'Transfer-Encoding: chunked', stays)}0\r\n\r\n`, 2),
  other('http10_404_ka', old('GET', deleted, stays)),
  other('http10_404', old('GET', deleted)),
  other('http10_404_head_ka', old('HEAD', deleted, stays)),
  other('http10_400_ka', old('GET', '/1,zz', stays)),
  other('http10_307_ka', old('GET', `/${text}`, stays)),
  other('http10_options_ka', old('OPTIONS', text, stays)),
  other('http10_method_ka', old('PATCH', text, stays)),
  other('http10_body_ka', `${old('GET', text, 'Content-Length: 5', stays)}hello`),
  other('http10_put_same', `${old('PUT', ten, 'Content-Length: 10')}0123456789`),
  other('http10_put_same_ka', `${old('PUT', ten, 'Content-Length: 10', stays)}0123456789`),
  other('http10_put_bad_ka', `${old('PUT', '/zz,01', 'Content-Length: 5', stays)}hello`),
  read('expect', plain('GET', text, expects)),
  read('expect_case', plain('GET', text, 'eXPECT: 100-Continue')),
  read('expect_head', plain('HEAD', text, expects)),
  read('expect_close', plain('GET', text, expects, 'Connection: close')),
  read('expect_empty', plain('GET', text, expects, 'Content-Length: 0')),
  read('expect_range', plain('GET', text, expects, range)),
  read('expect_two', plain('GET', text, expects) + plain('GET', ten), 2),
  other('expect_404', plain('GET', deleted, expects)),
  other('expect_body', `${plain('GET', text, expects, 'Content-Length: 5')}hello`),
  raw('expect_other', plain('GET', text, 'Expect: tea')),
  other('expect_put', `${plain('PUT', ten, expects, 'Content-Length: 10')}0123456789`, 2),
  {
    ...other('expect_put_bad', plain('PUT', '/zz,01', expects, 'Content-Length: 5')),
    isWaiting: true,
  },
  other('expect_put_read_only', `${plain('PUT', readOnly, expects, 'Content-Length: 5')}hello`, 2),
  { ...other('expect_patch', plain('PATCH', text, expects, 'Content-Length: 5')), isWaiting: true },
  read('h2c', fromJava('GET', text)),
  read('h2c_head', fromJava('HEAD', text)),
  read('h2c_range', fromJava('GET', text, range)),
  read('h2c_304', fromJava('GET', text, etag)),
  read('h2c_alone', plain('GET', text, 'Upgrade: h2c')),
  read('h2c_close', plain('GET', text, 'Connection: Upgrade, close', 'Upgrade: h2c')),
  read('h2c_two', fromJava('GET', text) + plain('GET', ten), 2),
  read('h2c_expect', fromJava('GET', text, expects)),
  read('upgrade_option', plain('GET', text, 'Connection: keep-alive, Upgrade')),
  other('h2c_404', fromJava('GET', deleted)),
  other('h2c_put', `${fromJava('PUT', ten, 'Content-Length: 10')}0123456789`),
  read('proxy_connection', plain('GET', text, 'Proxy-Connection: keep-alive')),
  read('proxy_connection_case', plain('GET', text, 'pROXY-cONNECTION: Keep-Alive')),
  raw('proxy_connection_close', plain('GET', text, 'Proxy-Connection: close')),
  other('proxy_connection_404', plain('GET', deleted, 'Proxy-Connection: keep-alive')),
];

/** Names of the cases of one kind. */
export function oddRequestsOf(kind: OddRequest['kind']): ReadonlySet<string> {
  const ofKind = oddRequests.filter((each) => each.kind === kind);
  return new Set(ofKind.map(({ name }) => `odd/${name}`));
}

export function readOddCases(): readonly RecordedCase[] {
  const lines = readFileSync(oddRequestsFile, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as RecordedCase);
}

/** What a real volume server says now. */
export async function recordOddCases(port: number): Promise<readonly RecordedCase[]> {
  const cases: RecordedCase[] = [];
  for (const request of oddRequests) cases.push(await record(port, request));
  return cases;
}

/** Nothing more is closed by then. */
const settledMs = 150;

async function record(port: number, asked: OddRequest): Promise<RecordedCase> {
  const { name, bytes, answers } = asked;
  const isHead = bytes.startsWith('HEAD ');
  const request = {
    rawB64: Buffer.from(bytes, 'latin1').toString('base64'),
    ...(isHead && { method: 'HEAD' }),
  };
  const recorded = { name: `odd/${name}`, group: 'main', rule: 'odd', request, expect: answers };
  const connection = await RawConnection.open(port);
  connection.send(requestBytes(request));
  const responses: RecordedAnswer[] = [];
  while (responses.length < answers) {
    responses.push(answerOf(name, await connection.receive(isHead ? 'HEAD' : 'GET')));
  }
  await new Promise((resolve) => setTimeout(resolve, settledMs));
  const open = connection.isOpen;
  connection.close();
  const [only] = responses;
  const response =
    responses.length === 1 ? { ...only, open } : { ...responses.at(-1), responses, open };
  const checkConn = asked.isWaiting !== true;
  return { ...recorded, checkConn, response: response as RecordedCase['response'] };
}

function answerOf(name: string, received: Received): RecordedAnswer {
  if (received.kind !== 'answer') throw new Error(`${name}: ${received.kind} for an answer`);
  const { answer } = received;
  const body = answer.body;
  return {
    statusLine: answer.statusLine,
    status: answer.status,
    headers: answer.headers.map(([header, value]) => [header, steady(header, value)]),
    framing: answer.framing,
    complete: answer.complete,
    bodyLength: body.length,
    bodySha256: sha256(body),
    ...(body.length < 2_048 && { bodyB64: body.toString('base64') }),
  };
}

/** What differs from one answer to the next is compared by its form alone. */
function steady(name: string, value: ReceivedAnswer['statusLine']): string {
  if (name === 'Date') return 'Sun, 29 Nov 2026 12:00:00 GMT';
  return name === 'X-Amz-Request-Id' ? '18EC6419A3CBFCC041295819' : value;
}
