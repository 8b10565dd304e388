import { describe, expect, test } from 'vitest';
import { formatDuration, formatSize, parseDurationMs, parseSize } from './units.ts';

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['4096', 4096],
    ['0B', 0],
    ['1KB', 1000],
    ['64KiB', 65536],
    ['64MiB', 67108864],
    ['1GB', 1e9],
    ['2TiB', 2 * 2 ** 40],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    '4_096',
    '9999999999999999',
    'MiB',
    '1.5GiB',
    '-1B',
    '64 MiB',
    '64mib',
    '64Mib',
    '1e3B',
    '9999999999999GB',
    '1constructor',
  ])('refuses "%s"', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('are written with the largest unit that divides them', () => {
    expect([0, 1000, 65536, 3 * 2 ** 30].map(formatSize)).toEqual(['0B', '1000B', '64KiB', '3GiB']);
  });
});

test('times are written with the largest unit that divides them', () => {
  const times = [0, 0.25, 10, 1500, 60_000, 86_400_000].map(formatDuration);
  expect(times).toEqual(['0us', '250us', '10ms', '1500ms', '1m', '24h']);
});

describe('times', () => {
  test.each([
    ['250us', 0.25],
    ['10ms', 10],
    ['2s', 2000],
    ['5m', 300000],
    ['1h', 3600000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each(['', '2', 's', '1.5s', '-1s', '2 s', '2S', '2sec', '2s ', '1d'])(
    'refuses "%s"',
    (text) => {
      expect(parseDurationMs(text)).toBeUndefined();
    },
  );
});
