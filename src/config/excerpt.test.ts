import fc from 'fast-check';
import { expect, test } from 'vitest';
import { visibleLines } from '../cli/output.ts';
import { excerptOf } from './excerpt.ts';

function mark(toml: string, line: number, key: string, message: string, column?: number): string {
  const problem = { source: 'x', line, key, message, ...(column === undefined ? {} : { column }) };
  return excerptOf(toml, problem, visibleLines).join('\n');
}

test('an unknown key is marked itself', () => {
  const toml = '[cache]\n  siez = "1GiB" # much\n';
  const shown = ' 2 |   siez = "1GiB" # much\n   |   ^^^^';
  expect(mark(toml, 2, 'cache.siez', 'unknown key; the nearest valid one is "size"')).toBe(shown);
});

test('of a key that is known its value is marked, without the comment', () => {
  expect(mark('size = "1 # B" # x', 1, 'cache.size', 'expected a size')).toBe(
    ' 1 | size = "1 # B" # x\n   |        ^^^^^^^',
  );
  expect(mark("a.size='1'", 1, 'a.size', 'expected')).toBe(" 1 | a.size='1'\n   |        ^^^");
});

test('tabs stay tabs under the mark, and the number of the line has its width', () => {
  const toml = `${'\n'.repeat(11)}\tlane\t= 1`;
  expect(mark(toml, 12, 'http.lane', 'expected true or false')).toBe(
    ' 12 | \tlane\t= 1\n    | \t    \t  ^',
  );
});

test('in an inline table the key is found, and its value marked', () => {
  expect(mark('cache = { size = 5 }', 1, 'cache.size', 'expected a size')).toBe(
    ' 1 | cache = { size = 5 }\n   |                  ^^^',
  );
});

test('a section is marked by its name, a missing key by the whole line, a slip by its column', () => {
  expect(mark('[cahce]', 1, 'cahce', 'unknown key')).toBe(' 1 | [cahce]\n   |  ^^^^^');
  expect(
    mark('[[seaweedfs.volume_server]]', 1, 'seaweedfs.volume_server.0.url', 'is required'),
  ).toBe(' 1 | [[seaweedfs.volume_server]]\n   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^');
  expect(mark('lane = ', 1, '', 'not TOML', 8)).toBe(' 1 | lane = \n   |        ^');
});

test('what a terminal would obey is shown, and the mark stands under what it stood under', () => {
  expect(mark('a = "\u001b[8m" # \u001b[31m', 1, 'a', 'expected')).toBe(
    ' 1 | a = "\\u001b[8m" # \\u001b[31m\n   |     ^^^^^^^^^^^',
  );
  expect(mark('\u001b[31m.b = 1', 1, 'b', 'unknown key')).toBe(
    ' 1 | \\u001b[31m.b = 1\n   |            ^',
  );
});

test('what has no line has no excerpt', () => {
  expect(
    excerptOf('x = 1', { source: 'V', line: undefined, key: 'x', message: 'y' }, visibleLines),
  ).toEqual([]);
  expect(mark('x = 1\n', 2, 'x', 'y')).toBe('');
});

test('whatever the text and the key, the mark stands below the line and inside it', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '.', '"', "'", '=', ' ', '\t', '#', '[', '{', '\u001b', '\u009b'),
  });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom('a', '.', '0') }), (line, key) => {
      const shown = excerptOf(line, { source: 'x', line: 1, key, message: 'wrong' }, visibleLines);
      if (line.trim() === '') return shown.length === 0;
      const [above = '', below = ''] = shown;
      expect(above).toBe(` 1 | ${visibleLines(line)}`);
      expect(below).toMatch(/^ {3}\| [ \t]*\^+$/);
      return below.length <= above.length;
    }),
    { numRuns: 2_000 },
  );
});
