/** What comments and pages cite: sections of the specification, pages of docs, and headings of these. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const self = 'test/citations.test.ts';
const folders = ['src', 'native', 'bench', 'test', 'docs', 'scripts'];
const citing = ['README.md', ...folders.flatMap(filesBelow)].filter((file) => file !== self);
const pages = citing.filter((file) => file.endsWith('.md'));

describe('a citation', () => {
  test('of the specification names a section that it has', () => {
    const sections = new Set(
      headingsOf('docs/specification.md').map((heading) => heading.split(' ')[0]),
    );
    const cited = citing.flatMap((file) =>
      specificationSections(proseOf(file)).map((section) => ({ file, section })),
    );
    expect(cited.length).toBeGreaterThan(50);
    expect(
      cited
        .filter(({ section }) => !sections.has(section))
        .map(({ file, section }) => `${file}: specification ${section}`),
    ).toEqual([]);
  });

  test.each([
    ['(specification 5.2)', ['5.2']],
    ['Specification section 12: a body', ['12']],
    ['specification sections 3, 5.4, 8', ['3', '5.4', '8']],
    ['specification sections 5 to 7', ['5', '7']],
    ['specification, sections 1.3 and 2.1', ['1.3', '2.1']],
    ['specification 4, step 8', ['4']],
    ['the specification says', []],
  ])('of the specification is found in "%s"', (text, sections) => {
    expect(specificationSections(text)).toEqual(sections);
  });

  test('of a document names one that is in the repository', () => {
    const wrong = citing.flatMap((file) => {
      const text = proseOf(file);
      const foreign = /\bDESIGN\b/.test(text) ? [`${file}: DESIGN`] : [];
      const missing = [...text.matchAll(/\bdocs\/[\w./-]+\.(?:md|svg|json)\b/g)]
        .map(([name]) => name)
        .filter((name) => !existsSync(join(root, name)));
      return [...foreign, ...missing.map((name) => `${file}: ${name}`)];
    });
    expect(wrong).toEqual([]);
  });

  test('of a heading names one that the page has', () => {
    const cited = citing.flatMap((file) =>
      [...proseOf(file).matchAll(/\b(docs\/[\w./-]+\.md), "([^"]+)"/g)].map(
        ([, page = '', heading = '']) => ({ file, page, heading }),
      ),
    );
    expect(cited.length).toBeGreaterThan(5);
    expect(cited.filter(({ page, heading }) => !headingsOf(page).includes(heading))).toEqual([]);
  });

  test('of a law names one that the architecture has', () => {
    const [, section = ''] = read('docs/architecture.md').split('\n## Laws\n');
    const laws = [...(section.split('\n## ')[0] as string).matchAll(/^(\d+)\. /gm)].map(
      ([, law]) => law,
    );
    const cited = citing.flatMap((file) =>
      [...proseOf(file).matchAll(/\blaw (\d+)\b/g)].map(([, law]) => ({ file, law })),
    );
    expect(cited.length).toBeGreaterThan(1);
    expect(cited.filter(({ law }) => !laws.includes(law))).toEqual([]);
  });

  test('of a decision names an entry, and entries are numbered in the order of their days', () => {
    const entries = headingsOf('docs/decisions.md')
      .slice(1)
      .map((heading) => /^(\d+) · (\d{4}-\d\d-\d\d) · \S/.exec(heading) ?? [heading]);
    const numbers = entries.map(([, number]) => Number(number));
    const days = entries.map(([, , day]) => day);
    const cited = citing.flatMap((file) =>
      [...proseOf(file).matchAll(/\bdecisions? (\d+)\b/gi)].map(([, number]) => ({
        file,
        number: Number(number),
      })),
    );
    expect(numbers).toEqual(entries.map((_, index) => index + 1));
    expect(days).toEqual(days.toSorted());
    expect(cited.length).toBeGreaterThan(1);
    expect(cited.filter(({ number }) => !numbers.includes(number))).toEqual([]);
  });

  test('that is a link with an anchor leads to a heading', () => {
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)].map(([, to = '', anchor]) => ({
        page,
        target: to === '' ? page : normalize(join(dirname(page), to)),
        anchor,
      })),
    );
    expect(links.length).toBeGreaterThan(20);
    expect(
      links.filter(
        ({ target, anchor }) =>
          !headingsOf(target)
            .map(anchorOf)
            .includes(anchor ?? ''),
      ),
    ).toEqual([]);
  });
});

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((file) => /\.(ts|mjs|cc|h|def|md)$/.test(file) && !file.includes('/fixtures/'))
    .sort();
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** A citation may go on in the next line of a comment. */
function proseOf(file: string): string {
  return read(file).replace(/\s*\n[ \t]*(?:\*(?!\/)|\/\/+)?[ \t]*/g, ' ');
}

function specificationSections(text: string): readonly string[] {
  const pattern =
    /\bspecification,? (?:sections? )?(\d+(?:\.\d+)?(?:(?:,|,? and| to) \d+(?:\.\d+)?)*)/gi;
  return [...text.matchAll(pattern)].flatMap(([, list = '']) => list.match(/\d+(?:\.\d+)?/g) ?? []);
}

function headingsOf(page: string): readonly string[] {
  const text = read(page).replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
