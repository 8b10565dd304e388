import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue, layers } from './check.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/doctor.md'), 'utf8');

test('the page has each layer, and in it each check, in the order of the catalogue', () => {
  const sections = page.split(/^### /m).slice(1);
  expect(sections.map((section) => section.split('\n', 1)[0])).toEqual(layers);
  sections.forEach((section, index) => {
    const layer = layers[index] as keyof typeof catalogue;
    const rows = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(catalogue[layer]);
  });
});
