import { expect, test } from 'vitest';
import { editDistance, nearestKey } from './nearest-key.ts';

test.each([
  ['', '', 0],
  ['size', 'size', 0],
  ['siez', 'size', 1],
  ['sie', 'size', 1],
  ['sizes', 'size', 1],
  ['sise', 'size', 1],
  ['kitten', 'sitting', 3],
])('from "%s" to "%s" are %d edits', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test('the nearest key is the one that was most likely meant', () => {
  const keys = ['connections', 'connection_bytes', 'head_bytes', 'head_timeout'];
  expect(nearestKey('conections', keys)).toBe('connections');
  expect(nearestKey('head_byte', keys)).toBe('head_bytes');
  expect(nearestKey('anything', [])).toBeUndefined();
});
