/** Plain English: a page or a comment for operators names the actor, and begins with a subject, a verb or a condition. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
/** Written by programs, whose own texts are elsewhere. */
const generated = [
  'deploy/grafana/seaweed-rdma.json',
  'docs/man/seaweed-rdma.1',
  'docs/openapi.json',
  'docs/schema/proxy.schema.json',
  'docs/schema/target.schema.json',
];
/** Neither prose nor comments of ours. */
const pictures = new Set(['.png', '.svg']);
/** Whole texts; in every other file the comments are read. */
const texts = new Set(['.md', '.txt']);
const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];
const files = [...pages, ...['docs', 'config', 'deploy'].flatMap(filesBelow)].filter(
  (file) => !generated.includes(file) && !pictures.has(extname(file)),
);

const unnamedActor = /\b(?:whoever|nobody|somebody|anybody)\b/gi;
const sentenceStart = String.raw`(?:^|\n\n|[.:!?]["')*]* |\| )(?:(?:[-*]|\d+\.) )?\**`;
const weakOpening = new RegExp(String.raw`${sentenceStart}(?:Of|As|Its) [^\n]{0,40}`, 'g');

describe('the prose for operators', () => {
  test('names its actors, and opens no sentence with "Of", "As" or "Its"', () => {
    const found = files.flatMap((file) =>
      findings(proseOf(file, read(file))).map((finding) => `${file}: ${finding}`),
    );
    expect(files.length).toBeGreaterThan(50);
    expect(found).toEqual([]);
  });

  test.each(generated)('leaves out %s, which exists', (file) => {
    expect(read(file)).not.toBe('');
  });
});

describe('a planted sentence is found', () => {
  test.each([
    ['a.md', 'Ask whoever\nreaches the port.', 'whoever'],
    ['a.md', '| peer | Nobody asks. |', 'Nobody'],
    [
      'a.md',
      'The port is open. Of a slice, the target\nreads all.',
      'Of a slice, the target reads all.',
    ],
    ['a.md', 'First.\n\nAs the proxy does, it asks.', 'As the proxy does, it asks.'],
    ['a.md', '- one\n- **Its own faults** stay.', 'Its own faults** stay.'],
    ['a.md', '| key | Of both roles |', 'Of both roles |'],
    ['a.toml', 'port = 1   # its port is\n# asked by somebody', 'Its port is', 'somebody'],
    ['Dockerfile', '# As root.\nUSER node', 'As root.'],
  ])('in %s: %j', (file, text, ...expected) => {
    const found = findings(proseOf(file, text));
    expect(found).toHaveLength(expected.length);
    for (const part of expected) expect(found.join('\n')).toContain(part);
  });

  test.each([
    ['a.md', 'Works as the server does, of course. "As is" stays.\n\n```\nOf code.\n```'],
    ['a.md', 'The metric `Of nobody` is a name.'],
    ['a.yaml', 'message: nobody'],
  ])('and %s: %j is left alone', (file, text) => {
    expect(findings(proseOf(file, text))).toEqual([]);
  });
});

function findings(prose: string): readonly string[] {
  return [unnamedActor, weakOpening].flatMap((pattern) =>
    [...prose.matchAll(pattern)].map(([match]) => match.trim()),
  );
}

/** Paragraphs, list items, table rows and comments, each on one line and set apart by an empty one. */
function proseOf(file: string, text: string): string {
  const prose = texts.has(extname(file)) ? withoutCode(text) : commentsOf(text);
  return prose
    .replace(/\n(?=\s*(?:[-*]|\d+\.) |\||#)/g, '\n\n')
    .replace(/(?<!\n)\n(?!\n)\s*/g, ' ');
}

function withoutCode(text: string): string {
  return text.replace(/^\s*```[\s\S]*?^\s*```/gm, '').replace(/`[^`]*`/g, '`…`');
}

/** Comments in lines that follow each other are one text; one behind a value is a text of its own, without a capital. */
function commentsOf(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const [, before = '', comment] = /^(|.*?\s)# ?(.*)$/.exec(line) ?? [];
      if (comment === undefined) return '\n';
      return before.trim() === '' ? comment : `\n\n${capitalised(comment)}`;
    })
    .join('\n')
    .replace(/`[^`]*`/g, '`…`');
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
