import { describe, expect, it } from 'vitest';
import { pairHeaders } from './answer-headers.ts';

/** Stored bytes are latin1 strings. */
function pairs(json: string): Record<string, string> | undefined {
  const headers = pairHeaders(Buffer.from(json, 'utf8').toString('latin1'));
  return headers === undefined ? undefined : Object.fromEntries(headers);
}

describe('pairHeaders', () => {
  it.each([
    ['', {}],
    ['{}', {}],
    [' {"color-of":"x"} ', { 'Color-Of': 'x' }],
    ['{"x_UNDER":"a\\nb"}', { X_under: 'a\nb' }],
    ['{"A":"\u00e9"}', { A: '\xc3\xa9' }],
    ['{"A":"\\ud800"}', { A: '\xef\xbf\xbd' }],
    ['{"A":1,"B":null,"C":{"x":[1]},"D":"d"}', { A: '', B: '', C: '', D: 'd' }],
    ['{"A":"b","A":5}', { A: '' }],
    ['{"bad name":"x","b:c":"y","":"z","\u00e9":"w","Ok":"v"}', { Ok: 'v' }],
    ['[]', {}],
    ['null', {}],
    ['"x"', {}],
    ['{"A":"b"', {}],
    ['{"A":"b",}', {}],
    ['\ufeff{"A":"b"}', {}],
  ])('of %j are %j', (json, expected) => {
    expect(pairs(json)).toEqual(expected);
  });

  it('knows a key that an object of its own could not hold', () => {
    expect(pairHeaders('{"__proto__":"x"}')?.get('__proto__')).toBe('x');
  });

  it.each([
    '{"a":"1","A":"2"}',
    '{"date":"x"}',
    '{"SERVER":"x"}',
    '{"x-amz-request-id":"x"}',
    '{"Connection":"close"}',
    '{"transfer-encoding":"chunked"}',
    '{"trailer":"x"}',
    '{"Trailer:X":"x"}',
    `{"A":${'['.repeat(200)}${']'.repeat(200)}}`,
  ])('leaves %s to the volume server', (json) => {
    expect(pairs(json)).toBeUndefined();
  });

  it('leaves what is not UTF-8 to the volume server', () => {
    expect(pairHeaders('{"A":"\xff"}')).toBeUndefined();
  });
});
