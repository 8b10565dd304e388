/** docs/performance.md says of docs/measurements what is not met, and leads to every page; each page dates its figures. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const docs = join(import.meta.dirname, '..', 'docs');
const names = readdirSync(join(docs, 'measurements'));
const date = /\b20\d\d-\d\d-\d\d\b/;
const summary = readFileSync(join(docs, 'performance.md'), 'utf8');
const bars = names.flatMap((name) =>
  rowsOf(readFileSync(join(docs, 'measurements', name), 'utf8')).filter((cells) =>
    cells.some((cell) => cell === 'met' || cell === 'NOT met'),
  ),
);

test('the page of performance lists every bar that is not met, with its figure', () => {
  const unmet = bars.filter((cells) => cells.includes('NOT met')).map((cells) => cells.slice(0, 4));
  const listed = rowsOf(sectionOf('Bars that are not met')).filter((cells) =>
    /^[≤≥]/.test(cells[3] ?? ''),
  );
  expect(unmet.length).toBeGreaterThan(0);
  expect(listed).toEqual(unmet);
  expect(summary).toContain(`${bars.length} bars are in the tables`);
});

test('the page of performance leads to every page of measurements', () => {
  const linked = [...sectionOf('The tables').matchAll(/\(measurements\/([\w-]+\.md)\)/g)].map(
    ([, name]) => name,
  );
  expect(linked.toSorted()).toEqual(names.toSorted());
});

test.each(names)(
  '%s names a command, and a date before each table or in each of its rows',
  (name) => {
    const text = readFileSync(join(docs, 'measurements', name), 'utf8');
    expect(text).toMatch(/`[^`]*npm run bench|wrk -t1|perf record/);
    const undated = [...text.matchAll(/(?:^\|.*\n)+/gm)]
      .filter(({ index, 0: table }) => {
        const isDated = date.test(text.slice(0, index));
        const [titles = [], , ...rows] = rowsOf(table);
        if (titles[0] === 'option' || titles[0] === 'server') return false;
        const column = titles.indexOf('date');
        return column < 0 ? !isDated : !rows.every((cells) => date.test(cells[column] ?? ''));
      })
      .map(([table]) => table);
    expect(undated).toEqual([]);
  },
);

function sectionOf(title: string): string {
  const [, after = ''] = summary.split(`\n## ${title}\n`);
  return after.split('\n## ')[0] as string;
}

function rowsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
