import { describe, expect, it } from 'vitest';
import { contentDisposition } from './content-disposition.ts';

describe('contentDisposition', () => {
  it.each([
    ['a.txt', 'inline; filename=a.txt'],
    ["~t!l*d'%.C", "inline; filename=~t!l*d'%.C"],
    ['a b', 'inline; filename="a b"'],
    ['a\tb', 'inline; filename="a\tb"'],
    ['3,0163', 'inline; filename="3,0163"'],
    ['q"\\', 'inline; filename="q\\"\\\\"'],
    ['\xc3\xa9 a.txt', "inline; filename*=utf-8''%C3%A9%20a.txt"],
    ["\x01*'%(;~", "inline; filename*=utf-8''%01%2A%27%25%28%3B~"],
    ['\x7f{}|', "inline; filename*=utf-8''%7F{}|"],
  ])('of %j', (filename, expected) => {
    expect(contentDisposition(false, filename)).toBe(expected);
  });

  it('names an attachment', () => {
    expect(contentDisposition(true, 'a')).toBe('attachment; filename=a');
  });
});
