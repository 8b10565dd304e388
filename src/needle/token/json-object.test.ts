import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlainObject } from './json-object.ts';

describe('parsePlainObject', () => {
  it('reads every object that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const members = parsePlainObject(JSON.stringify(object));
        expect(members === undefined).toBe(false);
        expect(members?.size).toBe(Object.keys(object).length);
      }),
    );
  });

  it.each(['', '[]', 'null', '"x"', '{', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}'])(
    'refuses %s',
    (text) => {
      expect(parsePlainObject(text)).toBeUndefined();
    },
  );

  it('does not count what is nested or in strings', () => {
    expect(parsePlainObject('{"a:\\"":{"b":1,"b":2},"c":[":","\\\\"]}')?.size).toBe(2);
  });
});
