/** docs/reliability.md: each fault names tests that exist, and reasons, events and metrics that the roles have. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reasons } from '../src/needle/reasons.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const [, table = ''] = read('docs/reliability.md').split('\n## Faults\n');
const rows = table
  .split('\n## ')[0]
  ?.split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  ) as readonly (readonly string[])[];

const namesIn = (cell: string): readonly string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);

test('every row says what happens to whom, and who tests it', () => {
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((cells) => cells.length !== 5 || cells.includes(''))).toEqual([]);
  expect(new Set(rows.map(([fault]) => fault)).size).toBe(rows.length);
});

test.each(rows.map((cells) => [cells[0] as string, cells[4] as string]))(
  'the tests of "%s" exist',
  (_, cell) => {
    const files = namesIn(cell);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/\.(test|suite)\.ts$/);
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  },
);

test('reasons, metrics and events are those of the roles', () => {
  const logging = read('docs/logging.md');
  const metrics = read('docs/metrics.md');
  const told = rows.flatMap((cells) => namesIn(cells[3] as string));
  const unknown = told.filter((name) => {
    if (name.startsWith('/')) return false;
    if (name.startsWith('seaweed_rdma_')) return !metrics.includes(`\`${name}\``);
    const isCheck = name === 'volumes';
    return (
      !isCheck && !(reasons as readonly string[]).includes(name) && !logging.includes(`\`${name}\``)
    );
  });
  expect(told.length).toBeGreaterThan(30);
  expect(unknown).toEqual([]);
});
