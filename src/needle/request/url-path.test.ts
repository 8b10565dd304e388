import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { handlerPath, percentDecode, splitTarget } from './url-path.ts';

describe('splitTarget', () => {
  it.each([
    ['/a', '/a', ''],
    ['/a?', '/a', ''],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?b#c', '/a', 'b#c'],
  ])('cuts %s at its first question mark', (target, rawPath, rawQuery) => {
    expect(splitTarget(target)).toEqual({ rawPath, rawQuery });
  });
});

describe('handlerPath', () => {
  it.each([
    ['/3,01637037d6', '/3,01637037d6'],
    ['/3%2C01637037d6', '/3,01637037d6'],
    ['/3%2F01637037d6%2Fn.txt', '/3/01637037d6/n.txt'],
    ['/3/0163/', '/3/0163/'],
    ['/3/0163/%ff', '/3/0163/\xff'],
    ['/3/0163/a+b', '/3/0163/a+b'],
    ['/3/0163/..a', '/3/0163/..a'],
    ['/3/0163/%2e%2e', '/3/0163/..'],
    ['/3/0163/"x"', '/3/0163/"x"'],
  ])('decodes %s', (raw, path) => {
    expect(handlerPath(raw)).toBe(path);
  });

  it.each([
    ['a bad escape', '/3,0163%zz'],
    ['an escape cut short', '/3,0163%4'],
    ['a double slash', '//3,0163'],
    ['a dot segment', '/./3,0163'],
    ['a dot-dot segment', '/a/../3,0163'],
    ['a dot segment at the end', '/3/0163/.'],
    ['a dot-dot segment at the end', '/3/0163/..'],
    ['an absolute form', 'http://h/3,0163'],
    ['nothing', ''],
    ['a control byte', '/3,0163\x01'],
    ['a blank', '/3,01 63'],
    ['encoded dots beside a byte that makes Go escape anew', '/3/0163/"/%2e%2e'],
    ['encoded slashes beside such a byte', '/3%2F%2F0163"'],
  ])('refuses %s', (_, raw) => {
    expect(handlerPath(raw)).toBeUndefined();
  });
});

describe('percentDecode', () => {
  it('gives back every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        const escaped = [...bytes].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('');
        expect(percentDecode(escaped)).toBe(text);
      }),
    );
  });
});
