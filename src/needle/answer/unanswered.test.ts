import { describe, expect, it } from 'vitest';
import { endsUnanswered } from './unanswered.ts';

const asks = (target: string, range?: string, method = 'GET'): boolean =>
  endsUnanswered({
    method,
    target,
    rawHeaders: range === undefined ? ['Host', 'a'] : ['Host', 'a', 'Range', range],
  });

describe('a request that the volume server ends without an answer', () => {
  it.each([
    '/1.5,2ec2b5abcf67f076',
    '/.1,01',
    '/a/b/c/1,2ec2b5abcf67f076',
    '/1%2e5,01',
    '/aaaaaaaaaaa/b/c/1,01',
  ])('has a path like %s', (target) => {
    expect(asks(target)).toBe(true);
    expect(asks(`${target}?a=b`, undefined, 'DELETE')).toBe(true);
  });

  it('asks for a negative suffix', () => {
    expect(asks('/1,01', 'bytes=--5')).toBe(true);
    expect(asks('/1,01', 'bytes= - -5')).toBe(true);
    expect(asks('/1,01', 'bytes=--5', 'DELETE')).toBe(false);
  });
});

it.each([
  '/1,01',
  '/1,01.jpg',
  '/1/01.5,x',
  '/1/01/a.b,c',
  '/status',
  '/a.b/c.d/e.f/g',
  '/a/b/c/ddddddddd,01',
  '/1,01.a,b.c',
])('%s is answered', (target) => {
  expect(asks(target)).toBe(false);
  expect(asks(target, 'bytes=-5')).toBe(false);
});
