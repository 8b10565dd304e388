import { afterEach, expect, test, vi } from 'vitest';
import { type ConnectionCounts, ConnectionWatch } from './connection-watch.ts';

afterEach(() => {
  vi.useRealTimers();
});

function watch(look: () => Promise<ConnectionCounts>): ConnectionWatch {
  return new ConnectionWatch({
    handshakeTimeoutMs: 400,
    descriptorsMax: 10,
    look,
    onEnded: vi.fn(),
  });
}

function counts(lookCpuMs: number): ConnectionCounts {
  return { waiting: 0, ended: 0, descriptors: 1, lostPorts: 0, lookCpuMs };
}

async function looksWithin(ms: number, look: () => Promise<ConnectionCounts>): Promise<number> {
  vi.useFakeTimers();
  const counted = vi.fn(look);
  const it = watch(counted);
  await vi.advanceTimersByTimeAsync(ms);
  it.close();
  return counted.mock.calls.length;
}

test('a look that waits for a processor delays the next one by no more', async () => {
  const looks = await looksWithin(6_000, async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return counts(0.01);
  });
  expect(looks).toBe(10);
});

test('a look that takes much of a processor is made less often', async () => {
  expect(await looksWithin(10_000, async () => counts(10))).toBe(5);
});

test('the time of a look is not told', async () => {
  vi.useFakeTimers();
  const it = watch(async () => counts(10));
  await vi.advanceTimersByTimeAsync(1_000);
  it.close();
  expect(it.snapshot()).toEqual({
    waiting: 0,
    ended: 0,
    descriptors: 1,
    lostPorts: 0,
    descriptorsMax: 10,
  });
});
