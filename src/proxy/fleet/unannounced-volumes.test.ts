import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RequestRecord } from '../../needle/request-record.ts';
import {
  hintsPerSecondMax,
  hintsPerVolumeMax,
  UnannouncedVolumes,
  unannouncedGraceMs,
  unannouncedMsMax,
} from './unannounced-volumes.ts';

let served: Set<number>;
let hints: number[][];
let listed: (volumeId: number) => boolean;
let refreshes: number;
let volumes: UnannouncedVolumes;

beforeEach(() => {
  vi.useFakeTimers();
  served = new Set();
  hints = [];
  listed = () => true;
  refreshes = 0;
  volumes = new UnannouncedVolumes({
    isServed: (volumeId) => served.has(volumeId),
    lists: {
      has: (volumeId) => listed(volumeId),
      refresh: () => {
        refreshes += 1;
      },
    },
    hint: (volumeIds) => void hints.push([...volumeIds]),
    now: () => Date.now(),
  });
});

afterEach(() => {
  volumes.close();
  vi.useRealTimers();
});

const never = { count: 0, first: [], reads: 0 };

describe('a volume that its server answers for and no target serves', () => {
  it('is a hint at once', () => {
    volumes.answered(7, false);
    expect(hints).toEqual([[7]]);
  });

  it('is none when a target serves it', () => {
    served.add(7);
    volumes.answered(7, true);
    expect(hints).toEqual([]);
  });

  it('is hinted a few times, not with each read', () => {
    for (let read = 0; read < 100; read += 1) {
      volumes.answered(7, true);
      vi.advanceTimersByTime(200);
    }
    expect(hints).toEqual(Array.from({ length: hintsPerVolumeMax }, () => [7]));
  });

  it('shares its hint with others that come meanwhile', () => {
    for (let volumeId = 1; volumeId <= 20; volumeId += 1) volumes.answered(volumeId, true);
    expect(hints).toEqual([[1]]);
    vi.advanceTimersByTime(1000 / hintsPerSecondMax);
    expect(hints.length).toBe(2);
    expect(hints[1]).toEqual(Array.from({ length: 19 }, (_, index) => index + 2));
  });

  it('is hinted again after it was forgotten', () => {
    for (let read = 0; read < 10; read += 1) volumes.answered(7, true);
    vi.advanceTimersByTime(unannouncedMsMax + 1);
    hints.length = 0;
    volumes.answered(7, true);
    expect(hints).toEqual([[7]]);
  });
});

describe('a finished request', () => {
  const target = '/7,01637037d6ff';

  it.each([
    ['POST', 'method', 'HTTP/1.1 201 Created', true],
    ['PUT', 'method', 'HTTP/1.1 201 Created', true],
    ['DELETE', 'method', 'HTTP/1.1 202 Accepted', false],
    ['POST', 'method', 'HTTP/1.1 500 Internal', false],
    ['GET', 'unknown-volume', 'HTTP/1.1 200 OK', true],
    ['GET', 'volume-unconfirmed', 'HTTP/1.0 304 Not Modified', true],
    ['GET', 'unknown-volume', 'HTTP/1.1 404 Not Found', false],
    ['GET', 'query', 'HTTP/1.1 200 OK', false],
  ] as const)(
    '%s that was forwarded for %s and answered %s: a hint: %s',
    (method, reason, head, isHint) => {
      const outcome = 'passthrough' as const;
      volumes.observe(
        recordOf({
          outcome,
          reason,
          request: { method, target, rawHeaders: [] },
          answerHead: head,
        }),
      );
      expect(hints).toEqual(isHint ? [[7]] : []);
    },
  );

  it('is no hint if it failed, or names no volume', () => {
    const request = { method: 'GET', target, rawHeaders: [] };
    const answerHead = Buffer.from('HTTP/1.1 200 OK');
    const reason = 'unknown-volume' as const;
    volumes.observe(recordOf({ outcome: 'error', reason, request, answerHead }));
    const status = { ...request, target: '/status' };
    volumes.observe(recordOf({ outcome: 'passthrough', reason, request: status, answerHead }));
    expect(hints).toEqual([]);
    volumes.observe(recordOf({ outcome: 'passthrough', reason, request, answerHead }));
    expect(hints).toEqual([[7]]);
  });
});

function recordOf(changes: Partial<RequestRecord> & Pick<RequestRecord, 'request'>): RequestRecord {
  return {
    outcome: 'cache',
    reason: '',
    transport: 'none',
    sessionId: 0n,
    durationMs: 1,
    bodyBytes: 0,
    answerHead: '',
    client: { address: '10.0.0.5', isOwn: false },
    decidedMs: 0,
    ...changes,
  };
}

describe('hints', () => {
  it('leave at most so often, however many volumes are answered for', () => {
    const seconds = 3;
    for (let ms = 0; ms < seconds * 1000; ms += 1) {
      volumes.answered(ms, false);
      vi.advanceTimersByTime(1);
    }
    expect(hints.length).toBeGreaterThan(seconds * hintsPerSecondMax * 0.9);
    expect(hints.length).toBeLessThanOrEqual(seconds * hintsPerSecondMax + 1);
  });

  it('end with close', () => {
    volumes.answered(1, false);
    volumes.answered(2, false);
    volumes.close();
    vi.advanceTimersByTime(10_000);
    expect(hints).toEqual([[1]]);
  });
});

describe('what /health says', () => {
  it('a volume that was just created is none of it', () => {
    volumes.answered(7, true);
    vi.advanceTimersByTime(unannouncedGraceMs - 1);
    expect(volumes.snapshot()).toEqual(never);
  });

  it('a volume that is read and stays unannounced is', () => {
    volumes.answered(9, true);
    volumes.answered(7, true);
    vi.advanceTimersByTime(unannouncedGraceMs);
    volumes.answered(7, true);
    expect(volumes.snapshot()).toEqual({ count: 2, first: [7, 9], reads: 3 });
  });

  it('it ends when a target serves the volume, or no client reads it any more', () => {
    volumes.answered(7, true);
    volumes.answered(9, true);
    vi.advanceTimersByTime(unannouncedGraceMs);
    served.add(7);
    expect(volumes.snapshot()).toEqual({ count: 1, first: [9], reads: 1 });
    vi.advanceTimersByTime(unannouncedMsMax);
    expect(volumes.snapshot()).toEqual(never);
  });

  it('a volume that its server does not list is none of it: it is erasure coded', () => {
    listed = (volumeId) => volumeId === 9;
    volumes.answered(7, true);
    volumes.answered(9, true);
    expect(refreshes).toBe(0);
    vi.advanceTimersByTime(unannouncedGraceMs);
    volumes.answered(7, true);
    expect(refreshes).toBe(1);
    expect(volumes.snapshot()).toEqual({ count: 1, first: [9], reads: 1 });
  });

  it('a volume that is only written to is none of it', () => {
    for (let write = 0; write < 10; write += 1) {
      volumes.answered(7, false);
      vi.advanceTimersByTime(unannouncedGraceMs / 2);
    }
    expect(volumes.snapshot()).toEqual(never);
  });

  it('names some of very many', () => {
    for (let volumeId = 1; volumeId <= 5000; volumeId += 1) volumes.answered(volumeId, true);
    vi.advanceTimersByTime(unannouncedGraceMs);
    const { count, first } = volumes.snapshot();
    expect(count).toBe(1024);
    expect(first.length).toBe(20);
  });
});
