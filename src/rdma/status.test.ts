import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { statusNumbers } from './status.ts';

it('the statuses are those of native/protocol/status.def', () => {
  const path = join(import.meta.dirname, '..', '..', 'native', 'protocol', 'status.def');
  const rows = [...readFileSync(path, 'utf8').matchAll(/^STATUS\((\w+), (\d+)\)/gm)];
  const table = Object.fromEntries(rows.map(([, name, number]) => [name, Number(number)]));
  expect(Object.keys(table).length).toBeGreaterThan(10);
  expect(statusNumbers).toEqual(table);
});
