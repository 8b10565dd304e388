/** The prose of the sources: how comments open, and words that leave the actor unnamed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { textsOf } from './source-texts.ts';

const root = join(import.meta.dirname, '..');
const sources = [
  ...filesBelow('src', /\.ts$/),
  ...['native', 'bench'].flatMap((folder) => filesBelow(folder, /\.(h|cc|def)$/)),
  ...['bench', 'scripts'].flatMap((folder) => filesBelow(folder, /\.(mjs|ts)$/)),
];

/** A comment opens with a verb or a noun, not with a piece of a sentence that began elsewhere. */
const opening = /^(?:Of|As|Its|The same|Whoever|What|Nobody)\b/;
const unnamed = /\b(?:whoever|nobody|somebody|anybody)\b/i;

describe('the prose of the sources', () => {
  const faults = sources.flatMap((file) =>
    faultsOf(readFileSync(join(root, file), 'utf8')).map((fault) => `${file}:${fault}`),
  );

  test('opens comments with a verb or a noun', () => {
    expect(sources.length).toBeGreaterThan(500);
    expect(faults.filter((fault) => fault.includes(' opens '))).toEqual([]);
  });

  test('names the actor in comments and messages', () => {
    expect(faults.filter((fault) => fault.includes(' names '))).toEqual([]);
  });

  test.each([
    ['a line', '// Of the last second.', ['1: opens with "Of"']],
    ['a block', '/** As it came. */', ['1: opens with "As"']],
    ['a block of several lines', '/**\n * What is kept.\n * More.\n */', ['1: opens with "What"']],
    ['a run of lines', 'a;\n/// The same\n/// of all.', ['2: opens with "The same"']],
    ['a comment behind code', 'int a = 1;  // Its size.', ['1: opens with "Its"']],
    ['a pattern with quotes', 'const a = /[\'"`]/;\n// Of it.', ['2: opens with "Of"']],
    [
      'digits with separators',
      "f(1'000);\n// Nobody's.\ng('\\'');",
      ['2: opens with "Nobody"', '2: names "Nobody"'],
    ],
    ['words further on', '// Calls\n// whoever waits.', ['1: names "whoever"']],
    ['a string', "say('it is somebody else');", ['1: names "somebody"']],
    ['a template', `say(\`\${nobody} asks anybody\`);`, ['1: names "anybody"']],
    ['a raw string', 'R"json({"a": "Nobody"})json"', ['1: names "Nobody"']],
  ])('is judged by %s', (_what, source, expected) => {
    expect(faultsOf(source)).toEqual(expected);
  });

  test.each([
    ['a line that goes on', '// Reads the head\n// As it came.'],
    ['a longer word', '/** Assigns it. Offers more. */'],
    ['code', 'const nobody = What / Of; // the divisor'],
    ['an address in a string', "get('http://a/b'); // Asks."],
    ['a value in a template', `say(\`\${nobody}\`);`],
  ])('lets %s be', (_what, source) => {
    expect(faultsOf(source)).toEqual([]);
  });
});

function faultsOf(source: string): string[] {
  return textsOf(source).flatMap(({ kind, text, line }) => {
    const opener = kind === 'comment' ? opening.exec(text) : null;
    const word = unnamed.exec(text.replace(/\$\{[^}]*\}/g, ''));
    return [
      ...(opener === null ? [] : [`${line}: opens with "${opener[0]}"`]),
      ...(word === null ? [] : [`${line}: names "${word[0]}"`]),
    ];
  });
}

function filesBelow(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => wanted.test(name))
    .map((name) => `${folder}/${name}`);
}
