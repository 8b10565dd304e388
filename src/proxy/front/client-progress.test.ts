import { describe, expect, it } from 'vitest';
import { ClientProgress } from './client-progress.ts';

const limits = { bodyTimeoutMs: 30, bodyBytesMin: 10, upstreamTimeoutMs: 120 };

/** A socket whose counters the test sets. */
function socket(): {
  bytesRead: number;
  bytesWritten: number;
  writableLength: number;
  paused: boolean;
  isPaused(): boolean;
} {
  return {
    bytesRead: 100,
    bytesWritten: 0,
    writableLength: 0,
    paused: false,
    isPaused() {
      return this.paused;
    },
  };
}

describe('a body', () => {
  it('that does not come is late after its time', () => {
    const progress = new ClientProgress(socket(), limits, 0);
    expect(progress.isBodyLate(30)).toBe(false);
    expect(progress.isBodyLate(31)).toBe(true);
  });

  it('that comes byte by byte is late, one that brings enough in its time is not', () => {
    for (const [bytes, late] of [
      [1, true],
      [4, false],
    ] as const) {
      const client = socket();
      const progress = new ClientProgress(client, limits, 0);
      let isLate = false;
      for (let nowMs = 10; nowMs <= 200; nowMs += 10) {
        client.bytesRead += bytes;
        isLate ||= progress.isBodyLate(nowMs);
      }
      expect(isLate).toBe(late);
    }
  });

  it('that is not read has all the time', () => {
    const client = socket();
    const progress = new ClientProgress(client, limits, 0);
    client.paused = true;
    expect(progress.isBodyLate(1_000)).toBe(false);
    client.paused = false;
    expect(progress.isBodyLate(1_030)).toBe(false);
    expect(progress.isBodyLate(1_031)).toBe(true);
  });
});

describe('a pipe', () => {
  it('may wait for its answer as long as the volume server may take', () => {
    const client = socket();
    const progress = new ClientProgress(client, limits, 0);
    client.bytesRead += 1;
    expect(progress.isPipeLate(5)).toBe(false);
    expect(progress.isPipeLate(125)).toBe(false);
    expect(progress.isPipeLate(126)).toBe(true);
  });

  it('of a client that goes on saying little is late', () => {
    const client = socket();
    const progress = new ClientProgress(client, limits, 0);
    for (let nowMs = 10; nowMs <= 30; nowMs += 10) {
      client.bytesRead += 1;
      expect(progress.isPipeLate(nowMs)).toBe(false);
    }
    client.bytesRead += 1;
    expect(progress.isPipeLate(40)).toBe(true);
  });

  it('that is answered, or not read, begins anew', () => {
    for (const event of ['answer', 'pause'] as const) {
      const client = socket();
      const progress = new ClientProgress(client, limits, 0);
      for (let nowMs = 20; nowMs <= 400; nowMs += 20) {
        client.bytesRead += 1;
        if (event === 'answer') client.bytesWritten += 1;
        else client.paused = nowMs % 40 === 0;
        expect(progress.isPipeLate(nowMs)).toBe(false);
      }
    }
  });
});
