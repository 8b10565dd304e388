import { describe, expect, it } from 'vitest';
import type { Needle } from '../../rdma/needle-fetcher.ts';
import { parseRead, type ReadRequest } from '../request/read-request.ts';
import { type Answer, buildAnswer, planAnswer } from './answer.ts';
import type { HostFacts } from './answer-plan.ts';

const data = Buffer.from('<p>0123456789');

const needle: Needle = {
  volumeId: 3,
  needleId: 1n,
  cookie: 0x637037d6,
  epoch: 1n,
  position: 16n,
  volumeVersion: 3,
  flags: 0,
  indexBytes: 20,
  dataBytes: data.length,
  checksum: 0x0abcdef1,
  isStream: false,
  lastModifiedSeconds: 1_700_086_400,
  appendAtNs: 1n,
  ttlLeftMs: undefined,
  name: '',
  mime: '',
  pairs: '',
};

const types = new Map([
  ['.txt', 'text/plain; charset=utf-8'],
  ['.none', ''],
]);
const facts: HostFacts = {
  server: 'Test 1',
  kind: 'go',
  typeOf: (ext) => types.get(ext),
};
const boundary = 'b'.repeat(60);
const varying = { requestId: 'ID', date: 'now', boundary };

function request(suffix = '', rawHeaders: readonly string[] = [], method = 'GET'): ReadRequest {
  const headers = ['Host', 'h', ...rawHeaders];
  const target = `/3,01637037d6${suffix}`;
  const parsed = parseRead({ method, target, rawHeaders: headers });
  if (parsed.kind !== 'read') throw new Error(`not a read: ${parsed.reason}`);
  return parsed.read;
}

const get = (...rawHeaders: readonly string[]): ReadRequest => request('', rawHeaders);

function answer(read: ReadRequest, asked = needle, bytes = data): Answer {
  const plan = planAnswer(read, asked, facts, undefined, true);
  if (plan.kind !== 'answer') throw new Error(JSON.stringify(plan));
  const slices = plan.ranges.map(({ start, end }) => bytes.subarray(start, end));
  return buildAnswer(plan, read, asked, facts, slices, varying);
}

function head(...lines: readonly string[]): string {
  return `HTTP/1.1 ${lines.join('\r\n')}\r\n\r\n`;
}

const lastModified = 'Last-Modified: Wed, 15 Nov 2023 22:13:20 GMT';
const common = [
  'Etag: "0abcdef1"',
  lastModified,
  'Server: Test 1',
  'X-Amz-Request-Id: ID',
  'Date: now',
];

describe('a plain answer', () => {
  it('sniffs the type behind Date', () => {
    const { head: written, body, bodyBytes } = answer(get());
    const lines = ['200 OK', 'Accept-Ranges: bytes', 'Content-Length: 13', ...common];
    expect(written).toBe(head(...lines, 'Content-Type: text/html; charset=utf-8'));
    expect(body).toEqual([data]);
    expect(bodyBytes).toBe(13);
  });

  it('takes the type of the extension, and names the file', () => {
    const { head: written } = answer(request('?dl=1'), { ...needle, name: 'a b.txt' });
    expect(written).toBe(
      head(
        '200 OK',
        'Accept-Ranges: bytes',
        'Content-Disposition: attachment; filename="a b.txt"',
        'Content-Length: 13',
        'Content-Type: text/plain; charset=utf-8',
        ...common,
      ),
    );
  });

  it('gives a HEAD the whole length, no body and no sniffed type', () => {
    const { head: written, bodyBytes } = answer(request('', ['Range', 'bytes=0-1'], 'HEAD'));
    expect(written).toBe(head('200 OK', 'Accept-Ranges: bytes', 'Content-Length: 13', ...common));
    expect(bodyBytes).toBe(0);
  });

  it('answers Origin and Connection: close at their places', () => {
    const { head: written } = answer(get('Origin', 'x', 'Connection', 'close'));
    expect(written).toContain(
      'Accept-Ranges: bytes\r\nAccess-Control-Allow-Credentials: true\r\n' +
        'Access-Control-Allow-Origin: *\r\nContent-Length',
    );
    expect(written).toMatch(/Date: now\r\nContent-Type: [^\r]*\r\nConnection: close\r\n\r\n$/);
  });

  it('shows no Last-Modified of zero', () => {
    const { head: written } = answer(get(), { ...needle, lastModifiedSeconds: 0 });
    expect(written).not.toContain('Last-Modified');
  });
});

describe('ranges', () => {
  it('sniffs the slice that is sent', () => {
    const { head: written, body } = answer(get('Range', 'bytes=3-5'));
    const lines = ['206 Partial Content', 'Accept-Ranges: bytes', 'Content-Length: 3'];
    expect(written).toBe(
      head(
        ...lines,
        'Content-Range: bytes 3-5/13',
        ...common,
        'Content-Type: text/plain; charset=utf-8',
      ),
    );
    expect(String(body[0])).toBe('012');
  });

  it('answers the empty range at the end', () => {
    const { head: written, bodyBytes } = answer(get('Range', 'bytes=13-'));
    const lines = ['206 Partial Content', 'Accept-Ranges: bytes', 'Content-Length: 0'];
    expect(written).toBe(head(...lines, 'Content-Range: bytes 13-12/13', ...common));
    expect(bodyBytes).toBe(0);
  });

  it('frames several as multipart', () => {
    const read = get('Range', 'bytes=3-4,-2');
    const { head: written, body, bodyBytes } = answer(read, { ...needle, mime: 'a/b' });
    const part = (range: string, bytes: string): string =>
      `--${boundary}\r\nContent-Range: bytes ${range}/13\r\nContent-Type: a/b\r\n\r\n${bytes}\r\n`;
    const expected = `${part('3-4', '01')}${part('11-12', '89')}--${boundary}--\r\n`;
    expect(String(Buffer.concat(body))).toBe(expected);
    expect(bodyBytes).toBe(expected.length);
    expect(written).toContain(`Content-Length: ${expected.length}\r\n`);
    expect(written).toContain(`Content-Type: multipart/byteranges; boundary=${boundary}\r\n`);
  });

  it('puts the length of an encoded multipart answer behind Date', () => {
    const read = request('?response-content-encoding=x', ['Range', 'bytes=0-0,1-1']);
    expect(answer(read).head).toMatch(/Date: now\r\nContent-Length: \d+\r\n\r\n$/);
  });

  it('leaves a chunked multipart answer to the volume server', () => {
    const read = request('?response-content-encoding=x', ['Range', 'bytes=0-1499,1500-2999']);
    const big = { ...needle, dataBytes: 4000 };
    expect(planAnswer(read, big, facts)).toEqual({ kind: 'passthrough', reason: 'headers' });
  });
});

describe('304', () => {
  const written = head('304 Not Modified', lastModified, ...common.slice(2));

  it.each([
    [get('If-None-Match', '"0abcdef1"')],
    [get('If-Modified-Since', 'Wed, 15 Nov 2023 22:13:20 GMT')],
    [get('If-Modified-Since', 'Wed, 15 Nov 2023 22:13:21 GMT', 'If-None-Match', '"x"')],
    [get('If-None-Match', '"0abcdef1"', 'Range', 'bytes=99-')],
    [request('', ['If-None-Match', '"0abcdef1"'], 'HEAD')],
  ])('carries no tag and no pairs: %#', (read) => {
    const asked = { ...needle, pairs: '{"A":"b"}', name: 'a.unknown', flags: 0x80 };
    expect(answer(read, asked)).toEqual({
      status: 304,
      head: written,
      body: [],
      bodyBytes: 0,
      totalBytes: 0,
    });
  });

  it.each([
    ['If-None-Match', '0abcdef1'],
    ['If-None-Match', 'W/"0abcdef1"'],
    ['If-None-Match', '"0ABCDEF1"'],
    ['If-None-Match', '*'],
    ['If-None-Match', '"x", "0abcdef1"'],
    ['If-Modified-Since', 'Wed, 15 Nov 2023 22:13:19 GMT'],
    ['If-Modified-Since', 'Wed, 15 Nov 2033 22:13:19 UTC'],
  ])('is not given for %s: %s', (name, value) => {
    expect(answer(get(name, value)).status).toBe(200);
  });

  it('needs a time to compare a date with', () => {
    const read = get('If-Modified-Since', 'Wed, 15 Nov 2033 22:13:20 GMT');
    expect(answer(read, { ...needle, lastModifiedSeconds: 0 }).status).toBe(200);
  });
});

describe('pairs and overrides', () => {
  it('lets pairs replace what was set before, and be replaced by what comes later', () => {
    const pairs = '{"etag":"E","accept-ranges":"none","Content-Type":"p/p","X-Y":"a\\r\\nb"}';
    const { head: written } = answer(get(), { ...needle, pairs });
    expect(written).toBe(
      head(
        '200 OK',
        'Accept-Ranges: bytes',
        'Content-Length: 13',
        'Content-Type: p/p',
        'Etag: E',
        lastModified,
        'Server: Test 1',
        'X-Amz-Request-Id: ID',
        'X-Y: a  b',
        'Date: now',
      ),
    );
  });

  it('does not sniff what a pair has encoded', () => {
    const { head: written } = answer(get(), { ...needle, pairs: '{"Content-Encoding":"br"}' });
    expect(written).not.toContain('Content-Type');
  });

  it('sets overrides, empty ones too', () => {
    const read = request('?response-content-type=&response-content-disposition=x');
    const { head: written } = answer(read, { ...needle, name: 'a.unknown' });
    expect(written).toContain('\r\nContent-Disposition: x\r\n');
    expect(written).toContain('\r\nContent-Type: \r\nEtag');
  });

  it('names the file where an override is empty', () => {
    const { head: written } = answer(request('.none?response-content-disposition='), {
      ...needle,
      name: 'n',
    });
    expect(written).toContain('Content-Disposition: inline; filename=n\r\n');
  });
});

describe('compressed needles', () => {
  const compressed = { ...needle, flags: 0x01 };
  const gzip = get('Accept-Encoding', 'gzip');

  it('asks for what it must know', () => {
    expect(planAnswer(gzip, compressed, facts)).toEqual({ kind: 'peek' });
    expect(planAnswer(get(), compressed, facts)).toEqual({ kind: 'decode' });
  });

  it('sends the stored bytes with their encoding, unsniffed', () => {
    const plan = planAnswer(gzip, compressed, facts, undefined, true);
    expect(plan).toMatchObject({ form: 'stored', totalBytes: 13, encoded: true });
    const { head: written } = answer(gzip, compressed);
    expect(written).toContain('Content-Encoding: gzip\r\nContent-Length: 13\r\nEtag');
    expect(written).not.toContain('Content-Type');
  });

  it('sends what is no gzip as it is', () => {
    for (const read of [gzip, get()]) {
      const plan = planAnswer(read, compressed, facts, undefined, false);
      expect(plan).toMatchObject({ form: 'stored', encoded: false });
    }
  });

  it('counts in decoded bytes where it decodes', () => {
    const read = get('Range', 'bytes=90-');
    expect(planAnswer(read, compressed, facts, 100, true)).toMatchObject({
      form: 'decoded',
      totalBytes: 100,
      ranges: [{ start: 90, end: 100 }],
    });
  });
});

describe('what is left to the volume server', () => {
  const plan = (read: ReadRequest, asked: Partial<Needle> = {}, known = facts) =>
    planAnswer(read, { ...needle, ...asked }, known);

  it.each([
    ['cookie', get(), { dataBytes: 0 }],
    ['manifest', get(), { flags: 0x80 }],
    ['image', request('?width=5'), { name: 'a.PNG' }],
    ['image', request('.webp?crop_x2=5&crop_y2=5'), {}],
    ['headers', get('Range', 'bytes=99-'), {}],
    ['headers', get(), { pairs: '{"Server":"x"}' }],
    ['learn-type', get(), { name: 'a.new', pairs: '{}' }],
    ['learn-type', request('', [], 'HEAD'), { name: 'a.new' }],
    ['learn-type', request('?response-expires=x'), { name: 'a.new' }],
    ['learn-type', get('Range', 'bytes=0-0,2-2'), { name: 'a.new' }],
  ] as const)('passes for %s: %#', (reason, read, asked) => {
    expect(plan(read, asked)).toEqual({ kind: 'passthrough', reason });
  });

  it('asks to learn the type of an extension', () => {
    const learning = { kind: 'passthrough', reason: 'learn-type', learnExt: '.new' };
    expect(plan(get(), { name: 'a.new' })).toEqual(learning);
    expect(plan(get('Range', 'bytes=0-0'), { name: 'a.new' })).toEqual(learning);
  });

  it('needs no type where an override gives one', () => {
    const read = request('?response-content-type=a/b');
    expect(plan(read, { name: 'a.new' })).toMatchObject({ kind: 'answer' });
  });

  it('waits for the server’s name', () => {
    const unknown: HostFacts = { server: undefined, kind: 'go', typeOf: () => '' };
    expect(plan(get(), {}, unknown)).toEqual({ kind: 'passthrough', reason: 'learn-server' });
  });

  it('serves a manifest as it is stored when asked to, and an image untouched', () => {
    expect(plan(request('?cm=false'), { flags: 0x80 })).toMatchObject({ status: 200 });
    expect(plan(request('?width=5'), { name: 'a.none' })).toMatchObject({ status: 200 });
    const read = request('?width=5');
    const named = { ...read, urlFilename: 'x.none', urlExt: '.none' };
    expect(plan(named, { name: 'a.png' })).toMatchObject({ status: 200 });
  });
});
