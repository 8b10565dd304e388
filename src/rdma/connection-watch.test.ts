import { afterEach, expect, test, vi } from 'vitest';
import { type ConnectionCounts, ConnectionWatch } from './connection-watch.ts';

afterEach(() => {
  vi.useRealTimers();
});

function watch(handshakeTimeoutMs: number, look: () => Promise<ConnectionCounts>): ConnectionWatch {
  return new ConnectionWatch({ handshakeTimeoutMs, descriptorsMax: 10, look, onEnded: vi.fn() });
}

function counts(lookCpuMs: number): ConnectionCounts {
  return { waiting: 0, ended: 0, descriptors: 1, lostPorts: 0, lookCpuMs };
}

test('a look that waits for a processor delays the next one by no more', async () => {
  vi.useFakeTimers();
  let looks = 0;
  const it = watch(400, async () => {
    looks += 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return counts(0.01);
  });
  await vi.advanceTimersByTimeAsync(6_000);
  it.close();
  expect(looks).toBe(10);
});

test('a look that takes much of a processor is made less often', async () => {
  vi.useFakeTimers();
  let looks = 0;
  const it = watch(400, async () => {
    looks += 1;
    return counts(10);
  });
  await vi.advanceTimersByTimeAsync(10_000);
  it.close();
  expect(looks).toBe(5);
});

test('the time of a look is not told', async () => {
  vi.useFakeTimers();
  const it = watch(400, async () => counts(10));
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
