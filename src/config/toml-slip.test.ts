import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse, TomlError } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { explainSlip, type ParserComplaint } from './toml-slip.ts';

/** undefined: the text is sound. */
function slipOf(toml: string): ParserComplaint | undefined {
  try {
    parse(toml, { unsafeKeyBehaviour: 'throw' });
    return undefined;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column, message } = error;
    return explainSlip(toml, { line, column, message });
  }
}

/** "line:column message", one for each slip of the pen. */
describe('a slip of the pen is named where it was made', () => {
  test.each([
    [
      'a text that is not closed',
      '[http]\nlisten = "127.0.0.1:8080\nlane = true\n',
      '2:10 the text that begins in line 2, column 10 is not closed: write " at its end',
    ],
    [
      'the same before a comment',
      '[http]\nlisten = "127.0.0.1:8080   # where clients come in\n',
      '2:10 the text that begins in line 2, column 10 is not closed: write " at its end',
    ],
    [
      'the same before a comment with quotes',
      '[http]\nlisten = "127.0.0.1:8080   # or "unix:/run/a"\n',
      '2:10 the text that begins in line 2, column 10 is not closed: write " at its end',
    ],
    [
      'the same in the last line',
      "[http]\nlisten = '127.0.0.1:8080",
      "2:10 the text that begins in line 2, column 10 is not closed: write ' at its end",
    ],
    [
      'the same with the wrong quote',
      '[http]\r\nlisten = "127.0.0.1:8080\'\r\n',
      '2:10 the text that begins in line 2, column 10 is not closed: write " at its end',
    ],
    [
      'the same in a list',
      '[rdma]\ndirs = ["/a", "/b]\n',
      '2:15 the text that begins in line 2, column 15 is not closed: write " at its end',
    ],
    [
      'a long text that is not closed',
      '[rdma]\ntls = """tcp\ntimeout = "2s"\n',
      '2:7 the text that begins in line 2, column 7 is not closed: write """ at its end',
    ],
    [
      'a list that is not closed',
      '[rdma]\ndirs = ["/a",\n "/b"\ntls = "tcp"\n',
      '2:8 the list that begins in line 2, column 8 is not closed: write ] at its end (or a comma between its entries)',
    ],
    [
      'a comma that is missing',
      '[rdma]\ndirs = [\n "/a"\n "/b"\n]\n',
      '4:2 a comma is missing between this entry and the one before',
    ],
    [
      'a size without quotes',
      '[c]\nsize = 256MiB\n',
      '2:11 a text needs quotes: write size = "256MiB"',
    ],
    [
      'an address without quotes',
      '[http]\nlisten = 127.0.0.1:8080 # here\n',
      '2:15 a text needs quotes: write listen = "127.0.0.1:8080"',
    ],
    [
      'an IPv6 address without quotes',
      '[http]\nlisten = [::1]:8080\n',
      '2:11 a text needs quotes: write listen = "[::1]:8080"',
    ],
    [
      'a word without quotes',
      '[r]\nmode = prefer\n',
      '2:8 a text needs quotes: write mode = "prefer"',
    ],
    ['a path in a list', '[r]\ndirs = [/a, /b]\n', '2:9 a text needs quotes: write "/a"'],
    ['true with a capital', '[h]\nlane = True\n', '2:8 True is no value of TOML: write true'],
    [
      'no for false',
      '[h]\nlane = no\n',
      '2:8 no is no value of TOML: write false, or "no" where a text is meant',
    ],
    [
      'null',
      '[h]\nlane = null\n',
      '2:8 TOML has no null: leave the key out, or write "" where an empty text says "none"',
    ],
    [
      'an octal mode',
      '[s]\nmode = 0640\n',
      '2:8 a number has no leading zero: write 640, or "0640" where a text is meant',
    ],
    ['separators', '[h]\nport = 8,080\n', '2:9 a number has no separators: write 8080'],
    [
      'quotes of a word processor',
      '[h]\nlisten = “a:1”\n',
      '2:9 “ (U+201C) is no quote of TOML: write "…" or \'…\'',
    ],
    ['a value that is missing', '[h]\nlane =\n', '2:7 lane has no value: write one after the ='],
    ['= that is missing', '[h]\nlisten "a:1"\n', '2:8 = is missing: write listen = "a:1"'],
    ['a key alone', '[h]\nlane\n', '2:5 = is missing: write lane = …'],
    [
      'a colon for =',
      '[h]\nlisten: "a:1"\n',
      '2:7 a key and its value are joined by =, not by a colon: write listen = …',
    ],
    [
      'YAML',
      'http:\n  lane: true\n',
      '1:5 a key and its value are joined by =, not by a colon: a section is written [http]',
    ],
    ['JSON', '{"http": {}}\n', '1:1 this is JSON: TOML has [sections] and key = value'],
    ['a comment of C', '// here\n', '1:1 a comment begins with #'],
    ['a comment of INI', '; here\n', '1:1 a comment begins with #'],
    [
      'a key twice',
      '[h]\na = 1\nb = 1\na = 2\n',
      '4:1 a is there twice, first in line 2: remove one',
    ],
    [
      'a section twice',
      '[h]\na = 1\n[c]\n[h]\nb = 1\n',
      '4:1 [h] is there twice, first in line 1: put all of its keys under one header (several tables of a list: [[…]] for each)',
    ],
    [
      'a header that is not closed',
      '[http\nlane = true\n',
      "1:1 the section's name is not closed: write [http], alone in its line",
    ],
    [
      'a header of tables that is not closed',
      '[[seaweedfs.volume_server]\nurl = "x"\n',
      "1:1 the section's name is not closed: write [[seaweedfs.volume_server]], alone in its line",
    ],
    [
      'a key in the line of its header',
      '[http] lane = true\n',
      '1:8 the header of a section stands alone in its line: begin a new line here',
    ],
    ['a semicolon', '[h]\nlane = true;\n', '2:12 remove the ;: a line ends without one'],
    ['a comma', '[h]\nlane = true,\n', '2:12 remove the ,: a line ends without one'],
    ['two keys', '[h]\na = 1 b = 2\n', '2:7 each key needs a line of its own'],
    [
      'one quote too many',
      '[h]\nlisten = "a:1""\n',
      '2:15 the value ends before this, and something follows it: "',
    ],
    [
      'a no-break space',
      '[h]\nlane\u00a0= true\n',
      '2:5 an invisible character (U+00A0) stands here: write a plain blank, or nothing',
    ],
    [
      'a path of Windows',
      '[r]\nfile = "C:\\secret"\n',
      '2:12 a backslash in "…" begins an escape: write \\\\ for a backslash, or put the text between \'…\'',
    ],
    [
      'a control character',
      '[h]\nlisten = "a\u0007"\n',
      '2:12 a text holds the control character U+0007: remove it, or write \\u0007',
    ],
    [
      'UTF-16',
      Buffer.from('\ufeff[http]\n', 'utf16le').toString('utf8'),
      '1:1 the file is not UTF-8 (UTF-16, maybe): save it as UTF-8',
    ],
    [
      'line ends of CR alone',
      '[http]\rlane = true\r',
      '1:7 the lines end with CR alone: save the file with LF, or CR LF',
    ],
  ])('%s', (_name, toml, said) => {
    const slip = slipOf(toml);
    expect(slip && `${slip.line}:${slip.column} ${slip.message}`).toBe(said);
  });

  test('tabs and a byte order mark are no slips', () => {
    expect(slipOf('\ufeff[http]\n\tlane\t=\ttrue\t# on\n')).toBeUndefined();
  });
});

describe('in the sample file', () => {
  const sample = readFileSync(join(import.meta.dirname, '../../config/proxy.toml'), 'utf8');

  test('every quote that is taken away is told in its own line', () => {
    const quotes = [...sample.replace(/#.*/g, (comment) => ' '.repeat(comment.length))]
      .map((character, at) => (character === '"' ? at : -1))
      .filter((at) => at >= 0);
    expect(quotes.length).toBeGreaterThan(50);
    for (const at of quotes) {
      const line = sample.slice(0, at).split('\n').length;
      const slip = slipOf(sample.slice(0, at) + sample.slice(at + 1));
      expect(slip, sample.split('\n')[line - 1]).toMatchObject({ line });
      expect(slip?.message).toMatch(/is not closed|needs quotes|no value of TOML/);
    }
  });

  test('whatever one character does, the place that is told is in the file', () => {
    const lines = sample.split('\n');
    const any = fc.oneof(
      fc.constantFrom(...'"\'[]{}=#,;:\\\n\r\t \u00a0\u0000'),
      fc.string({ maxLength: 2 }),
    );
    fc.assert(
      fc.property(fc.nat({ max: sample.length }), fc.nat({ max: 2 }), any, (at, cut, put) => {
        const toml = sample.slice(0, at) + put + sample.slice(at + cut);
        const slip = slipOf(toml);
        if (slip === undefined) return;
        expect(slip.line).toBeGreaterThanOrEqual(1);
        expect(slip.line).toBeLessThanOrEqual(lines.length + 2);
        const text = toml.split(/\r?\n/)[slip.line - 1] ?? '';
        expect(slip.column).toBeGreaterThanOrEqual(1);
        expect(slip.column).toBeLessThanOrEqual(text.length + 2);
        expect(slip.message).not.toBe('');
      }),
      { numRuns: 1000 },
    );
  });
});
