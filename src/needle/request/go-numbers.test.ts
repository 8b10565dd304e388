import { describe, expect, it } from 'vitest';
import { atoi, parseBool, parseInt64, parseUint64 } from './go-numbers.ts';

describe('parseUint64', () => {
  it.each([
    ['0', 0n],
    ['007', 7n],
    ['18446744073709551615', 18446744073709551615n],
    ['00000000000000000000000000000000001', 1n],
  ])('reads %s', (text, value) => {
    expect(parseUint64(text)).toBe(value);
  });

  it.each(['', '-1', '+1', '1_0', '0x1', ' 1', '18446744073709551616', '99999999999999999999999'])(
    'refuses %j',
    (text) => {
      expect(parseUint64(text)).toBeUndefined();
    },
  );
});

describe('parseInt64', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['+5', 5],
    ['-5', -5],
    ['0010', 10],
    ['9223372036854775807', 2 ** 63],
    ['-9223372036854775808', -(2 ** 63)],
  ])('reads %s', (text, value) => {
    expect(parseInt64(text)).toBe(value);
  });

  it.each(['', '+', '-', '--1', '1.0', '1e3', '9223372036854775808', '-9223372036854775809'])(
    'refuses %j',
    (text) => {
      expect(parseInt64(text)).toBeUndefined();
    },
  );
});

describe('atoi', () => {
  it.each([
    ['', 0],
    ['x', 0],
    ['+7', 7],
    ['99999999999999999999', 2 ** 63],
    ['-99999999999999999999', -(2 ** 63)],
  ])('of %j is %d', (text, value) => {
    expect(atoi(text)).toBe(value);
  });
});

describe('parseBool', () => {
  it('knows the six words for true and no other', () => {
    const words = ['1', 't', 'T', 'TRUE', 'true', 'True', 'tRUE', 'yes', '0', ''];
    expect(words.filter(parseBool)).toEqual(['1', 't', 'T', 'TRUE', 'true', 'True']);
  });
});
