import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskedTarget } from './masked-target.ts';

describe('a target that may be written down', () => {
  test('keeps volume and needle, and loses the cookie', () => {
    expect(maskedTarget('/3,01637037d6')).toBe('/3,01…');
    expect(maskedTarget('/3,01637037d6.jpg')).toBe('/3,01….jpg');
    expect(maskedTarget('/3/01637037d6.jpg')).toBe('/3,01….jpg');
    expect(maskedTarget('/3/01637037d6/name%20of.it')).toBe('/3,01…/name of.it');
    expect(maskedTarget('/3,01637037d6_2')).toBe('/3,03…');
  });

  test('loses what looks like a cookie where the path names no needle', () => {
    expect(maskedTarget('/x/y/3,01637037d6/z')).toBe('/x/y/3,01…/z');
    expect(maskedTarget('/3,01%36%337037d6/a/b')).toBe('/3,01…/a/b');
    expect(maskedTarget('/status')).toBe('/status');
    expect(maskedTarget('*')).toBe('*');
  });

  test('loses tokens and every value that is not known to be harmless', () => {
    expect(maskedTarget('/3,01637037d6?jwt=abc.def&width=100')).toBe('/3,01…?jwt=…&width=100');
    expect(maskedTarget('/3,01637037d6?%6Awt=abc&x&y=')).toBe('/3,01…?jwt=…&x&y=…');
    expect(maskedTarget('/delete?fid=3,01637037d6&collection=c')).toBe(
      '/delete?fid=…&collection=c',
    );
    expect(maskedTarget('/a?3,01637037d6')).toBe('/a?3,01…');
  });

  test('is never long', () => {
    expect(maskedTarget(`/${'g'.repeat(5_000)}`)).toHaveLength(513);
  });

  test('never shows the cookie, however the file id is spelled', () => {
    const hex = fc.constantFrom(...'0123456789abcdefABCDEF');
    const digits = (length: number): fc.Arbitrary<string> =>
      fc.array(hex, { minLength: length, maxLength: length }).map((each) => each.join(''));
    const place = fc.constantFrom('/ID', '/a/b/ID/c', '/x?fid=ID', '/x?ID', '/ID.jpg?ts=1');
    const isEncoded = fc.array(fc.boolean(), { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(
        digits(16),
        digits(8),
        place,
        fc.constantFrom(',', '/'),
        isEncoded,
        (id, cookie, where, mark, encoded) => {
          const spelled = [...(id + cookie)].map((each, at) =>
            encoded[at] ? `%${each.charCodeAt(0).toString(16)}` : each,
          );
          const text = maskedTarget(where.replace('ID', `7${mark}${spelled.join('')}`));
          expect(text).not.toContain(cookie);
          expect(text.toLowerCase()).not.toContain(`${id}${cookie}`.slice(-12).toLowerCase());
        },
      ),
    );
  });
});
