import { describe, expect, it } from 'vitest';
import { asksAttachment, asksImageOperation, findOverrides, parseQuery } from './query.ts';

function parsed(rawQuery: string): ReadonlyMap<string, string> {
  const query = parseQuery(rawQuery);
  if (query === undefined) throw new Error(`refused: ${rawQuery}`);
  return query;
}

describe('parseQuery', () => {
  it.each([
    ['', {}],
    ['a=1&a=2', { a: '1' }],
    ['a=1;b=2&c=3', { c: '3' }],
    ['a=%zz&a=2', { a: '2' }],
    ['%zz=1', {}],
    ['a+b=c+d%2b', { 'a b': 'c d+' }],
    ['a=b=c', { a: 'b=c' }],
    ['a', { a: '' }],
    ['&&', {}],
    ['=x', { '': 'x' }],
    ['%64l=1', { dl: '1' }],
  ])('reads %s', (rawQuery, expected) => {
    expect(Object.fromEntries(parsed(rawQuery))).toEqual(expected);
  });

  it('refuses a query of very many pairs', () => {
    expect(parseQuery('a&'.repeat(2000))).toBeUndefined();
  });
});

describe('findOverrides', () => {
  it('takes the six keys in any case, empty values too', () => {
    const query = parsed('Response-Content-Type=a/b&response-expires=&response-etag=x&dl=1');
    expect(findOverrides(query)).toEqual([
      ['Content-Type', 'a/b'],
      ['Expires', ''],
    ]);
  });

  it.each([
    'response-expires=1&Response-Expires=2',
    // Go lower-cases the dotted capital I to an ASCII i.
    'response-content-d%C4%B0sposition=x',
  ])('leaves %s to the volume server', (rawQuery) => {
    expect(findOverrides(parsed(rawQuery))).toBeUndefined();
  });
});

describe('asksAttachment', () => {
  it.each([
    ['dl=1', true],
    ['dl=true', true],
    ['dl=yes', false],
    ['dl=&dl=1', false],
    ['DL=1', false],
  ])('of %s is %s', (rawQuery, expected) => {
    expect(asksAttachment(parsed(rawQuery))).toBe(expected);
  });
});

describe('asksImageOperation', () => {
  it.each([
    ['width=1', true],
    ['height=%2B5', true],
    ['width=99999999999999999999', true],
    ['width=0', false],
    ['width=-1', false],
    ['width=x', false],
    ['crop_x2=5&crop_y2=5', true],
    ['crop_x1=5&crop_x2=5&crop_y2=5', false],
    ['crop_x1=-1&crop_x2=5&crop_y2=5', false],
    ['mode=fit', false],
  ])('of %s is %s', (rawQuery, expected) => {
    expect(asksImageOperation(parsed(rawQuery))).toBe(expected);
  });
});
