import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import { parseRead, type ReadRequest } from '../request/read-request.ts';
import { buildAnswer, planAnswer } from './answer.ts';
import type { AnswerPlan, HostFacts } from './answer-plan.ts';
import { marks, PreparedAnswer } from './prepared-answer.ts';
import { bufferedKey, inflatesAsRust, learnedOfRust } from './rust-answer.ts';

const needle: NeedleFacts = {
  volumeId: 3,
  needleId: 1n,
  cookie: 0x637037d6,
  epoch: 1n,
  position: 1n,
  flags: 0,
  dataBytes: 5,
  checksum: 1,
  lastModifiedSeconds: 1_700_000_000,
  name: 'a.txt',
  mime: '',
  pairs: '',
};

const types = new Map([
  [bufferedKey, 'counted'],
  ['.txt', 'text/plain'],
  ['.txt streamed', 'text/plain'],
  ['.none', 'application/octet-stream'],
  ['.none streamed', ''],
]);
const facts: HostFacts = { server: 'Test 1', kind: 'rust', typeOf: (key) => types.get(key) };
const varying = { requestId: 'ID', date: 'now', boundary: '' };

function request(rawHeaders: readonly string[] = [], suffix = '', method = 'GET'): ReadRequest {
  const target = `/3,01637037d6${suffix}`;
  const parsed = parseRead({ method, target, rawHeaders: ['Host', 'h', ...rawHeaders] });
  if (parsed.kind !== 'read') throw new Error(`not a read: ${parsed.reason}`);
  return parsed.read;
}

function head(read: ReadRequest, change: Partial<NeedleFacts> = {}): string {
  const asked = { ...needle, ...change };
  const plan = planAnswer(read, asked, facts);
  if (plan.kind !== 'answer') throw new Error(JSON.stringify(plan));
  const slices = plan.ranges.map(({ start, end }) => Buffer.alloc(end - start));
  return buildAnswer(plan, read, asked, facts, slices, varying).head;
}

function plan(read: ReadRequest, change: Partial<NeedleFacts> = {}): AnswerPlan {
  return planAnswer(read, { ...needle, ...change }, facts);
}

const unsupported = { kind: 'passthrough', reason: 'unsupported-server' };

describe('an answer of the volume server in Rust', () => {
  it('names its headers in lower case, and its id twice', () => {
    expect(head(request()).split('\r\n')).toEqual([
      'HTTP/1.1 200 OK',
      'content-type: text/plain',
      'etag: "00000001"',
      'last-modified: Tue, 14 Nov 2023 22:13:20 GMT',
      'content-disposition: inline; filename=a.txt',
      'accept-ranges: bytes',
      'server: Test 1',
      'x-request-id: ID',
      'x-amz-request-id: ID',
      'content-length: 5',
      'date: now',
      '',
      '',
    ]);
  });

  it('of a range counts its bytes before the server’s name, and says nothing of ranges', () => {
    const lines = head(request(['Range', 'bytes=1-2'])).split('\r\n');
    expect(lines[0]).toBe('HTTP/1.1 206 Partial Content');
    expect(lines.slice(5, 8)).toEqual([
      'content-range: bytes 1-2/5',
      'content-length: 2',
      'server: Test 1',
    ]);
  });

  it('has a type of its own for bytes without one, except for a long needle', () => {
    expect(head(request(), { name: '' })).toContain(
      '\r\ncontent-type: application/octet-stream\r\n',
    );
    const long = { dataBytes: 1024 * 1024 + 1 };
    expect(head(request(), { ...long, name: '' })).not.toContain('content-type');
    expect(head(request(), { ...long, name: 'a.none' })).not.toContain('content-type');
    expect(head(request(), long)).toMatch(
      /^HTTP[^\n]*\r\netag: [^\n]*\r\ncontent-type: text\/plain\r\n/,
    );
  });

  it('is prepared with its id at both places', () => {
    const asked = plan(request());
    if (asked.kind !== 'answer') throw new Error('no answer');
    const { head: text } = buildAnswer(asked, request(), needle, facts, [Buffer.alloc(5)], marks);
    const lines = PreparedAnswer.of(asked, facts, needle, text)?.head.split('\r\n') ?? [];
    const [id] = lines
      .filter((line) => line.startsWith('x-request-id: '))
      .map((line) => line.slice(14));
    expect(id).toMatch(/^[0-9A-F]{24}$/);
    expect(lines).toContain(`x-amz-request-id: ${id}`);
    expect(lines.at(-3)).toMatch(/^date: \w{3}, /);
  });

  it('is learned first: its way with bodies, and the type of an extension', () => {
    const unknown: HostFacts = { ...facts, typeOf: (key) => (key === '.txt' ? 'a/b' : undefined) };
    const learn = { kind: 'passthrough', reason: 'learn-type' };
    expect(planAnswer(request(), needle, unknown)).toEqual({ ...learn, learnExt: bufferedKey });
    expect(plan(request(), { name: 'a.new' })).toEqual({ ...learn, learnExt: '.new' });
    const long = { name: 'a.new', dataBytes: 2 ** 21 };
    expect(plan(request(), long)).toEqual({ ...learn, learnExt: '.new streamed' });
  });

  it('is not known of a server that limits its downloads', () => {
    const limited: HostFacts = { ...facts, typeOf: () => 'tracked' };
    expect(planAnswer(request(), needle, limited)).toEqual(unsupported);
  });

  it.each([
    ['HEAD', request([], '', 'HEAD'), {}],
    ['an extension', request([], '.txt'), {}],
    ['a query', request([], '?dl=true'), {}],
    ['a condition', request(['If-None-Match', '"00000001"']), {}],
    ['Origin', request(['Origin', 'http://a']), {}],
    ['a cookie', request(['Cookie', 'a=b']), {}],
    ['Connection: close', request(['Connection', 'close']), {}],
    ['several ranges', request(['Range', 'bytes=0-1,3-4']), {}],
    ['a range behind the end', request(['Range', 'bytes=5-6']), {}],
    ['the last bytes', request(['Range', 'bytes=-2']), {}],
    ['another client’s token', request(['Authorization', 'Bearer e30.e30.x']), {}],
    ['another kind of bearer', request(['Authorization', `BEARER:${ownToken()}`]), {}],
    ['65 headers', request(Array.from({ length: 128 }, (_, i) => `X-${i}`)), {}],
    ['a date behind the year 9999', request(), { lastModifiedSeconds: 253_402_300_800 }],
    ['headers of the needle’s own', request(), { pairs: '{"Seaweed-A":"b"}' }],
    ['an odd name', request(), { name: 'a b.txt' }],
    ['an odd type', request(), { mime: 'text/plain\n' }],
  ] as const)('is the server’s own to give with %s', (_, read, change) => {
    expect(plan(read, change)).toEqual(unsupported);
  });

  it.each([
    ['readDeleted=true', request([], '?readDeleted=true')],
    ['Accept-Encoding', request(['Accept-Encoding', 'gzip'])],
    ['a token as SeaweedFS makes it', request(['Authorization', `Bearer ${ownToken()}`])],
    ['an open range', request(['Range', 'bytes=1-'])],
  ] as const)('is given with %s', (_, read) => {
    expect(plan(read)).toMatchObject({ kind: 'answer' });
  });
});

function ownToken(): string {
  const text = (value: string): string => Buffer.from(value).toString('base64url');
  const claims = '{"fid":"3,01637037d6","exp":2000000000}';
  return `${text('{"alg":"HS256","typ":"JWT"}')}.${text(claims)}.x`;
}

describe('learnedOfRust', () => {
  const own = ['server', 's', 'x-request-id', 'I', 'x-amz-request-id', 'I'];
  const counted = [
    'content-type',
    'a/b',
    'etag',
    '"1"',
    ...own,
    'content-length',
    '5',
    'date',
    'now',
  ];
  const tracked = ['etag', '"1"', 'accept-ranges', 'bytes', ...own, 'date', 'now'];

  it('takes the type from where it stands, or none', () => {
    expect(learnedOfRust('.a', 200, counted)).toBe('a/b');
    expect(learnedOfRust('.a', 206, tracked)).toBe('');
  });

  it('tells from the first header whether bodies are counted', () => {
    expect(learnedOfRust(bufferedKey, 200, counted)).toBe('counted');
    expect(learnedOfRust(bufferedKey, 200, tracked)).toBe('tracked');
  });

  it('cannot tell from another status, or from another server’s head', () => {
    expect(learnedOfRust('.a', 404, counted)).toBeUndefined();
    expect(learnedOfRust(bufferedKey, 200, ['Content-Type', 'a/b', 'Server', 's'])).toBeUndefined();
  });
});

describe('inflatesAsRust', () => {
  it('is false of several gzip members, of which it inflates the first', () => {
    const one = gzipSync('one');
    expect(inflatesAsRust(one, Buffer.from('one'))).toBe(true);
    const both = Buffer.concat([one, gzipSync('other')]);
    expect(inflatesAsRust(both, Buffer.from('oneother'))).toBe(false);
  });
});
