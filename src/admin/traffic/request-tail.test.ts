import { afterEach, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../needle/request-record.ts';
import { type RequestFilterQuery, requestFilter } from '../api/request-filter.ts';
import type { RequestEntry } from './request-entry.ts';
import { type TailSink, waitingBytesMax } from './request-tail.ts';
import { requestsKept, statusOf, TrafficWatch } from './traffic-watch.ts';

let traffic = new TrafficWatch();
afterEach(() => {
  traffic.close();
  traffic = new TrafficWatch();
});

function finish(changes: Partial<RequestRecord> & { readonly target?: string } = {}): void {
  const { target = '/3,01637037d6', ...others } = changes;
  traffic.observe({
    outcome: 'cache',
    reason: '',
    transport: 'tcp',
    sessionId: 0n,
    durationMs: 1.23456,
    bodyBytes: 100,
    request: { method: 'GET', target, rawHeaders: ['User-Agent', 'curl/8'] },
    answerHead: 'HTTP/1.1 200 OK\r\n\r\n',
    client: { address: '10.0.0.5', isOwn: false },
    decidedMs: 0,
    ...others,
  });
}

/** Entries as the API shows them. */
const kept = (): readonly RequestEntry[] => JSON.parse(JSON.stringify([...traffic.ring.latest()]));

describe('the last requests', () => {
  test('are kept with cookies and tokens masked, the latest first', () => {
    finish();
    const answerHead = Buffer.from('HTTP/1.1 404 Not Found\r\n\r\n');
    const target = '/3,01637037d6.jpg?jwt=secret&readDeleted=true';
    finish({ target, outcome: 'passthrough', reason: 'not-found', answerHead });
    expect(kept()).toEqual([
      expect.objectContaining({ path: '/3,01….jpg?jwt=…&readDeleted=true', status: 404 }),
      {
        at: expect.stringMatching(/^20\d\d-/),
        client: '10.0.0.5',
        userAgent: 'curl/8',
        isOwn: false,
        method: 'GET',
        path: '/3,01…',
        volumeId: 3,
        status: 200,
        outcome: 'cache',
        reason: '',
        transport: 'tcp',
        bodyBytes: 100,
        durationMs: 1.235,
      },
    ]);
  });

  test('are requestsKept at most, and a long target is masked as a whole', () => {
    const passed = { outcome: 'passthrough', reason: 'query' } as const;
    for (let i = 0; i < requestsKept + 10; i += 1) finish({ ...passed, bodyBytes: i });
    expect(kept().length).toBe(requestsKept);
    expect(kept()[0]?.bodyBytes).toBe(requestsKept + 9);
    expect(kept().at(-1)?.bodyBytes).toBe(10);
    // Cut behind its 256th character, the path would end within the cookie.
    for (let fill = 230; fill < 260; fill += 1) {
      finish({ ...passed, target: `/${'x'.repeat(fill)}/01637037d6` });
    }
    const shown = kept()
      .slice(0, 30)
      .map(({ path }) => path);
    expect(shown.filter((path) => /637037d|63703|6370/.test(path))).toEqual([]);
    expect(new Set(shown).size).toBe(30);
  });

  test('of busy traffic are some of those answered here, and all others; a follower gets all', async () => {
    const [busy, failures] = [20_000, 30];
    for (let i = 0; i < busy; i += 1) {
      finish();
      if (i % 1000 === 999) finish({ outcome: 'error', reason: 'deadline', bodyBytes: i });
    }
    expect(traffic.sampledEvery).toBeGreaterThan(4);
    const kinds = kept().map(({ outcome }) => outcome);
    expect(kinds.filter((outcome) => outcome === 'error').length).toBeGreaterThan(1);
    const newest = kept().find(({ outcome }) => outcome === 'error');
    expect(newest?.bodyBytes).toBe(busy - 1);
    const sink = new SlowSink();
    traffic.tail.follow(sink, everything);
    for (let i = 0; i < failures; i += 1) finish();
    await turn();
    expect(sink.lines.length).toBe(failures);
  });

  test('have the status of any answer, and none without one', () => {
    expect(statusOf('HTTP/1.1 206 Partial')).toBe(206);
    expect(statusOf(Buffer.from('HTTP/1.1 503 S'))).toBe(503);
    expect([
      statusOf(''),
      statusOf('HTTP/1.1 20'),
      statusOf(Buffer.from('garbage in here')),
    ]).toEqual([0, 0, 0]);
  });
});

const entry: RequestEntry = {
  at: '2026-11-29T02:30:00.000Z',
  client: '10.1.2.3',
  userAgent: 'Go-http-client/1.1',
  isOwn: false,
  method: 'GET',
  path: '/3,01…?readDeleted=true',
  volumeId: 3,
  status: 404,
  outcome: 'passthrough',
  reason: 'not-found',
  transport: 'none',
  bodyBytes: 0,
  durationMs: 20,
};

function letsThrough(query: RequestFilterQuery, of: RequestEntry = entry): boolean {
  const parsed = requestFilter(query);
  if (parsed.kind === 'wrong') throw new Error(parsed.detail);
  return parsed.matches(of);
}

describe('a filter', () => {
  test.each<[RequestFilterQuery, boolean]>([
    [{}, true],
    [{ outcome: 'error,passthrough' }, true],
    [{ outcome: 'cache' }, false],
    [{ reason: 'query, not-found' }, true],
    [{ reason: 'query' }, false],
    [{ client: '10.1.2.3' }, true],
    [{ client: '10.1.0.0/16' }, true],
    [{ client: 'fd00::/8,10.2.0.0/16' }, false],
    [{ agent: 'Go-http' }, true],
    [{ agent: 'curl' }, false],
    [{ volume: '1,3' }, true],
    [{ volume: '13' }, false],
    [{ method: 'get' }, true],
    [{ method: 'HEAD,raw' }, false],
    [{ status: '404' }, true],
    [{ status: '2xx,4xx' }, true],
    [{ status: '5xx' }, false],
    [{ minDurationMs: 20 }, true],
    [{ minDurationMs: 21 }, false],
    [{ path: 'readDeleted' }, true],
    [{ path: '/4,' }, false],
    [{ outcome: 'passthrough', volume: '4' }, false],
  ])('%j lets the request through: %s', (query, expected) => {
    expect(letsThrough(query)).toBe(expected);
  });

  test("leaves out this package's own requests unless they are wanted", () => {
    const own = { ...entry, isOwn: true };
    expect([letsThrough({}, own), letsThrough({ own: true }, own)]).toEqual([false, true]);
  });

  test('does not let a connection without a status, a volume or an address match any', () => {
    const raw = { ...entry, status: null, volumeId: null, client: '', method: '' };
    for (const query of [{ status: '1xx' }, { volume: '0' }, { client: '0.0.0.0/0' }]) {
      expect(letsThrough(query, raw)).toBe(false);
    }
    expect(letsThrough({ method: 'raw' }, raw)).toBe(true);
  });

  test.each<[RequestFilterQuery, string]>([
    [{ outcome: 'cached' }, 'none of cache, rdma'],
    [{ reason: 'because' }, 'none of method, path'],
    [{ client: 'localhost' }, '10.0.0.0/8'],
    [{ client: '10.0.0.0/33' }, '10.0.0.0/8'],
    [{ client: '10.0.0.0/x' }, '10.0.0.0/8'],
    [{ volume: 'three' }, 'no volume id'],
    [{ status: '4' }, 'nor a class such as 5xx'],
  ])('%j is refused with what it may be', (query, detail) => {
    expect(requestFilter(query)).toEqual({
      kind: 'wrong',
      detail: expect.stringContaining(detail),
    });
  });
});

class SlowSink implements TailSink {
  writableLength = 0;
  text = '';
  isEnded = false;
  isDestroyed = false;
  write(text: string): void {
    this.text += text;
  }
  end(text: string): void {
    this.write(text);
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  get lines(): readonly Record<string, unknown>[] {
    return this.text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  }
}

/** Lines leave with the next turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const everything = (): boolean => true;

describe('a follower', () => {
  test('gets what its filter lets through, from when it follows', async () => {
    finish({ bodyBytes: 1 });
    const sink = new SlowSink();
    const leave = traffic.tail.follow(sink, ({ bodyBytes }) => bodyBytes > 2);
    finish({ bodyBytes: 2 });
    finish({ bodyBytes: 3 });
    leave();
    finish({ bodyBytes: 4 });
    await turn();
    expect(sink.lines).toEqual([
      expect.objectContaining({ event: 'request', bodyBytes: 3, path: '/3,01…' }),
    ]);
    expect(traffic.tail.followers.size).toBe(0);
  });

  test('that is too slow loses lines, is told how many, and holds up no request', async () => {
    const slow = new SlowSink();
    const quick = new SlowSink();
    traffic.tail.follow(slow, everything);
    traffic.tail.follow(quick, everything);
    slow.writableLength = waitingBytesMax + 1;
    for (let i = 0; i < 5; i += 1) finish();
    await turn();
    expect([slow.lines.length, quick.lines.length]).toEqual([0, 5]);
    slow.writableLength = 0;
    finish();
    await turn();
    expect(slow.lines).toEqual([
      { event: 'dropped', lines: 5 },
      expect.objectContaining({ event: 'request' }),
    ]);
  });

  test('is told of the end, and one that comes later too', () => {
    const [before, after] = [new SlowSink(), new SlowSink()];
    traffic.tail.follow(before, everything);
    traffic.close();
    traffic.tail.follow(after, everything);
    for (const sink of [before, after]) {
      expect(sink.lines).toEqual([{ event: 'end', detail: 'the proxy has ended' }]);
      expect(sink.isEnded).toBe(true);
    }
    expect(traffic.tail.followers.size).toBe(0);
  });
});
