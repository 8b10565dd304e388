import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visible, visibleJson, visibleStyled, visibleValues } from './output.ts';

const hostile = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(
      '\u001b]0;title\u0007',
      '\u009b31m',
      '\u202e',
      '\u2066',
      '\u2028',
      '\r',
      '\n',
      'é',
    ),
    fc.string({ unit: 'binary' }),
  ),
});

describe('visible', () => {
  it('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(visible(text)).not.toMatch(
          /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u,
        );
      }),
    );
  });

  it('changes nothing else, and nothing twice', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = visible(text);
        expect(visible(shown)).toBe(shown);
        expect(shown.replace(/\\u[0-9a-f]{4}/g, '')).toBe(
          text
            .replace(/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
            .replace(/\\u[0-9a-f]{4}/g, ''),
        );
      }),
    );
  });

  it('writes what it hides as JSON does', () => {
    expect(visible('a\u001b[2Jb\u009b')).toBe('a\\u001b[2Jb\\u009b');
  });
});

describe('visibleJson', () => {
  it('lets no text begin a line of its own, or reach a terminal, when it is shown', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = JSON.parse(visibleJson(JSON.stringify({ text }))).text as string;
        expect(shown).toBe(visible(shown));
      }),
    );
  });

  it('keeps the line ends of a stack, and what is plain', () => {
    const value = { path: 'C:\\new "x"', stack: 'Error: a\n    at b (c:1:2)' };
    expect(JSON.parse(visibleJson(JSON.stringify(value)))).toEqual(value);
  });
});

it('visibleValues shows every text of a value, and every name in it', () => {
  expect(visibleValues({ 'a\n': ['\u001b[31m', 1, null, undefined] })).toEqual({
    'a\\u000a': ['\\u001b[31m', 1, null, undefined],
  });
});

describe('visibleStyled', () => {
  it('keeps colours alone', () => {
    const line = '\u001b[31mred\u001b[39m \u001b[2J\u001b]0;title\u0007';
    expect(visibleStyled(line)).toBe('\u001b[31mred\u001b[39m \\u001b[2J\\u001b]0;title\\u0007');
  });
});
