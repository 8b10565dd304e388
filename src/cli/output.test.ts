import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  note,
  noteStyled,
  print,
  visible,
  visibleJson,
  visibleStyled,
  visibleValues,
} from './output.ts';

/** One of each kind that UAX 44 calls a control, a format character, or ignorable. */
const unseen = [
  ...[
    '\u001b',
    '\u009b',
    '\u00ad',
    '\u034f',
    '\u061c',
    '\u180e',
    '\u200b',
    '\u200d',
    '\u200e',
    '\u2028',
  ],
  ...[
    '\u2029',
    '\u202e',
    '\u2060',
    '\u2066',
    '\u3164',
    '\ufe0f',
    '\ufeff',
    '\ufff9',
    '\u{e0041}',
    '\u{e0100}',
  ],
];

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
      ...unseen,
    ),
    fc.string({ unit: 'binary' }),
  ),
});

describe('visible', () => {
  it('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(visible(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
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
            .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, '')
            .replace(/\\u[0-9a-f]{4}/g, ''),
        );
      }),
    );
  });

  it('writes what it hides as JSON does', () => {
    expect(visible('a\u001b[2Jb\u009b')).toBe('a\\u001b[2Jb\\u009b');
    expect(visible('\u{e0041}')).toBe('\\udb40\\udc41');
    expect(visible('żółć 日本 naïve')).toBe('żółć 日本 naïve');
  });

  it.each(unseen)('hides no difference between two names: %j', (char) => {
    const shown = visible(`a${char}b`);
    expect(shown).toMatch(/^a(?:\\u[0-9a-f]{4})+b$/);
    expect(JSON.parse(`"${shown}"`)).toBe(`a${char}b`);
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

describe('what is printed', () => {
  afterEach(() => vi.restoreAllMocks());

  function written(stream: 'stdout' | 'stderr', say: () => void): string {
    const write = vi.spyOn(process[stream], 'write').mockReturnValue(true);
    say();
    const text = write.mock.calls.map(([chunk]) => String(chunk)).join('');
    write.mockRestore();
    return text;
  }

  it.each([
    ['note', 'stderr', note],
    ['print', 'stdout', print],
  ] as const)(
    '%s lets out nothing that a terminal would obey, colours neither',
    (_, stream, say) => {
      fc.assert(
        fc.property(hostile, fc.constantFrom('', '\u001b[31m', '\u001b[8m'), (text, colour) => {
          const shown = written(stream, () => say(`a${colour}${text}`));
          expect(shown.replace(/[\n\t]/g, '')).toBe(visible(shown.replace(/[\n\t]/g, '')));
        }),
      );
    },
  );

  it('noteStyled keeps the colours around a text that was made visible', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = written('stderr', () => noteStyled(`\u001b[31m${visible(text)}\u001b[0m`));
        expect(shown).toBe(`\u001b[31m${visible(text)}\u001b[0m\n`);
      }),
    );
  });
});
