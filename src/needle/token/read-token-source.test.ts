import { describe, expect, it } from 'vitest';
import { findToken } from './read-token-source.ts';

const none = { jwt: '', authorization: '', cookieLines: [] };

describe('findToken', () => {
  it.each([
    [{ jwt: 'q', authorization: 'Bearer a', cookieLines: ['AT=c'] }, 'q'],
    [{ authorization: 'Bearer a', cookieLines: ['AT=c'] }, 'a'],
    [{ authorization: 'bEaReR_a' }, 'a'],
    [{ authorization: 'Bearer ', cookieLines: ['AT=c'] }, 'c'],
    [{ authorization: 'Basic abc', cookieLines: ['AT=c'] }, 'c'],
    [{ cookieLines: ['x=1; AT=c; AT=d'] }, 'c'],
    [{ cookieLines: ['x=1', 'AT="c"'] }, 'c'],
    [{ cookieLines: [' AT =c'] }, 'c'],
    [{ cookieLines: ['AT=a b'] }, 'a b'],
    [{ cookieLines: ['AT=a\\b; AT=ok'] }, 'ok'],
    [{ cookieLines: ['AT=', 'AT=c'] }, undefined],
    [{ cookieLines: ['at=c'] }, undefined],
    [{}, undefined],
  ])('in %j is %j', (sources, token) => {
    expect(findToken({ ...none, ...sources })).toBe(token);
  });

  it('takes no time over a line of blanks', () => {
    const line = `${' '.repeat(200_000)}AT=c`;
    expect(findToken({ ...none, cookieLines: [line] })).toBe('c');
  });
});
