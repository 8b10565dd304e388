import { describe, expect, test } from 'vitest';
import type { RequestRecord } from '../needle/request-record.ts';
import { LimitedLog } from './limited-log.ts';
import { RequestLog, type RequestLogOptions, requestFields } from './request-log.ts';

const hit: RequestRecord = {
  outcome: 'cache',
  reason: '',
  transport: 'none',
  sessionId: 0n,
  durationMs: 0.25,
  bodyBytes: 4096,
  request: {
    method: 'GET',
    target: '/3,01637037d6?jwt=secret',
    rawHeaders: ['Host', 'a', 'X-AMZ-request-id', 'theirs'],
  },
  answerHead: Buffer.from(
    'HTTP/1.1 206 Partial Content\r\nServer: s\r\nX-Amz-Request-Id: 18AB5F1C0D2E3F4055D0C3A1\r\n\r\nbody X-Amz-Request-Id: no\r\n',
  ),
  client: { address: '10.0.0.5', isOwn: false },
  decidedMs: 0,
};
const passed = { ...hit, outcome: 'passthrough', reason: 'method' } as const;
const down = { ...hit, outcome: 'passthrough', reason: 'target-down' } as const;
const failed = { ...hit, outcome: 'error', reason: 'path', answerHead: '' } as const;

type Line = readonly [level: string, fields: Record<string, unknown>];

function logOf(
  options: Partial<RequestLogOptions>,
  linesPerMinute = 100,
): { log: RequestLog; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object) => void lines.push([level, { ...fields }]);
  const sink = { info: at('info'), warn: at('warn'), error: at('error') };
  const limited = new LimitedLog(sink, linesPerMinute);
  return { log: new RequestLog(sink, limited, { requests: 'all', sample: 3, ...options }), lines };
}

describe('the line of a request', () => {
  test('has the keys that others rely on, and neither cookie nor token', () => {
    expect(requestFields(hit)).toEqual({
      event: 'request',
      session_id: undefined,
      request_id: '18AB5F1C0D2E3F4055D0C3A1',
      client_request_id: 'theirs',
      method: 'GET',
      path: '/3,01…?jwt=…',
      status: 206,
      outcome: 'cache',
      reason: '',
      transport: 'none',
      bytes_read: 4096,
      duration: 0.00025,
      transfer_rate: 16_384_000,
    });
  });

  test('says what a piped connection lets tell', () => {
    const request = { method: '', target: '/', rawHeaders: [] };
    const fields = requestFields({ ...passed, reason: 'raw', request, answerHead: '' });
    expect(fields).toMatchObject({ method: 'raw', path: '/', reason: 'raw' });
    expect([fields.status, fields.request_id, fields.client_request_id]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('takes the id of a passed answer from its head, and no endless one', () => {
    const answerHead = `HTTP/1.1 200 OK\r\nx-amz-request-id:  ${'A'.repeat(500)}\r\n`;
    expect(requestFields({ ...passed, answerHead }).request_id).toBe('A'.repeat(128));
    expect(requestFields({ ...passed, durationMs: 0 }).transfer_rate).toBe(0);
  });

  test('names the session that brought the needle', () => {
    expect(requestFields({ ...hit, sessionId: 2n ** 63n }).session_id).toBe('9223372036854775808');
  });

  test('falls back to X-Request-Id', () => {
    const request = { ...hit.request, rawHeaders: ['x-request-id', 'r'] };
    expect(requestFields({ ...hit, request }).client_request_id).toBe('r');
  });
});

describe('which requests get a line', () => {
  const all = [hit, passed, down, failed];

  test.each([
    ['off', []],
    ['trouble', ['warn', 'error']],
    ['all', ['info', 'info', 'warn', 'error']],
  ] as const)('%s', (requests, levels) => {
    const { log, lines } = logOf({ requests });
    for (const record of all) log.observe(record);
    expect(lines.map(([level]) => level)).toEqual(levels);
  });

  test('sampled: trouble, and one in so many of the rest', () => {
    const { log, lines } = logOf({ requests: 'sampled', sample: 3 });
    for (let count = 0; count < 7; count += 1) log.observe(hit);
    expect(lines).toHaveLength(3);
    for (let count = 0; count < 5; count += 1) log.observe(down);
    expect(lines).toHaveLength(8);
  });

  test('trouble is bounded, and lines that the operator asked for are not', () => {
    const few = logOf({ requests: 'trouble' }, 2);
    for (let count = 0; count < 5; count += 1) few.log.observe(failed);
    expect(few.lines).toHaveLength(2);
    const every = logOf({ requests: 'all' }, 2);
    for (let count = 0; count < 5; count += 1) every.log.observe(failed);
    expect(every.lines).toHaveLength(5);
  });

  test('can be changed while requests run', () => {
    const { log, lines } = logOf({ requests: 'off' });
    log.observe(hit);
    log.options = { requests: 'sampled', sample: 100 };
    log.observe(hit);
    log.observe(hit);
    expect(lines).toHaveLength(1);
  });

  test('where hits get none, nothing of a hit is read but its reason', () => {
    const { log } = logOf({ requests: 'trouble' });
    const reads: PropertyKey[] = [];
    const watched = new Proxy(hit, {
      get(target, key) {
        reads.push(key);
        return target[key as keyof RequestRecord];
      },
    });
    log.observe(watched);
    expect(reads).toEqual(['reason']);
  });
});

describe('one of several requests that were answered here', () => {
  test.each(['off', 'trouble', 'all'] as const)('has no line with "%s"', (requests) => {
    const { log, lines } = logOf({ requests });
    for (let i = 0; i < 10; i += 1) log.observeSome(hit, 5);
    expect(lines).toEqual([]);
    expect(log.isOfAll).toBe(requests === 'all');
  });

  test('counts for as many as it stands for in a sample', () => {
    const { log, lines } = logOf({ requests: 'sampled', sample: 100 });
    for (let i = 0; i < 100; i += 1) log.observeSome(hit, 10);
    // The first, and one in a hundred of a thousand.
    expect(lines.length).toBeGreaterThanOrEqual(10);
    expect(lines.length).toBeLessThanOrEqual(11);
  });

  test('has one line, however many it stands for', () => {
    const { log, lines } = logOf({ requests: 'sampled', sample: 3 });
    log.observeSome(hit, 1_000);
    expect(lines).toHaveLength(1);
  });

  test('shares the sample with requests that were seen one by one', () => {
    const { log, lines } = logOf({ requests: 'sampled', sample: 4 });
    for (let i = 0; i < 20; i += 1) {
      log.observe(hit);
      log.observeSome(hit, 1);
    }
    expect(lines).toHaveLength(10);
  });
});
